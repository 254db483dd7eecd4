import { Gauge, Registry } from 'prom-client';
import { expect, it } from 'vitest';
import { SSEKify, SSEKifyError } from '../../src/index.js';
import { collectMetrics } from '../../src/prometheus/index.js';
import { atEnd } from '../helpers/cleanup.js';
import { endWithTest } from '../helpers/server.js';

function newHub(): SSEKify {
  const sse = new SSEKify();
  endWithTest(sse);
  return sse;
}

/** What it throws for options that the types need not allow. */
function refusal(options: unknown, [sse]: readonly [unknown] = [newHub()]): unknown {
  try {
    collectMetrics(sse as never, options as never);
  } catch (error) {
    return error;
  }
  throw new Error('it did not throw');
}

const registry = () => new Registry();
const labels = (value: unknown) => ({ registry: registry(), labels: value });

it.each([
  ['no object', 'x', /^options is 'x': expected an object/],
  ['null', null, /^options is null/],
  ['an option that does not exist', { perfix: 'a_' }, /^options\['perfix'\] is 'a_': .*registry, prefix, labels/],
  ['a registry that is none', { registry: { metrics: 1 } }, /^options\.registry is \[Object\]: .*prom-client/],
  ['null for a registry', { registry: null }, /^options\.registry is null/],
  ['a prefix with a dash', { registry: registry(), prefix: 'my-app_' }, /^options\.prefix is 'my-app_'/],
  ['a prefix that begins with a digit', { registry: registry(), prefix: '1_' }, /^options\.prefix is '1_'/],
  ['a prefix with a line break', { registry: registry(), prefix: 'a_\n' }, /^options\.prefix is 'a_\\n'/],
  ['a prefix that is no text', { registry: registry(), prefix: 1 }, /^options\.prefix is 1/],
  ['labels as a list', labels(['hub']), /^options\.labels is \[Array\]/],
  ['labels as a map', labels(new Map([['hub', 'one']])), /^options\.labels is \[Map\]/],
  ['a label name with a dash', labels({ 'my-hub': 1 }), /^options\.labels\['my-hub'\] is 1: expected a label name/],
  ['a label name of Prometheus', labels({ __name__: 'a' }), /^options\.labels\['__name__'\]/],
  ['a label that the metrics have', labels({ reason: 'a' }), /^options\.labels\['reason'\] is 'a': .*none of .*reason/],
  ['a label value that is undefined', labels({ hub: undefined }), /^options\.labels\.hub is undefined/],
  ['a label value that is an object', labels({ hub: {} }), /^options\.labels\.hub is \{\}/],
  ['a label value that is no number', labels({ hub: Number.NaN }), /^options\.labels\.hub is NaN/],
])('refuses %s', (_, options, message) => {
  const error = refusal(options);
  expect(error).toBeInstanceOf(SSEKifyError);
  expect(error).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringMatching(message) });
});

it.each([undefined, null, {}, { stats: () => ({}) }])('refuses %o as a hub', (sse) => {
  expect(refusal({ registry: registry() }, [sse])).toMatchObject({
    code: 'INVALID_OPTION',
    message: expect.stringMatching(/^sse is .*new SSEKify/),
  });
});

it('takes options that are undefined as their defaults', () => {
  atEnd(collectMetrics(newHub(), { registry: undefined, prefix: undefined, labels: undefined }));
  const error = refusal({});
  expect(error).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringMatching(/^options\.labels is/) });
});

it('refuses labels by which hubs on a registry cannot be told apart', () => {
  const shared = registry();
  collectMetrics(newHub(), { registry: shared, labels: { hub: 'one', shard: 1 } });
  for (const given of [undefined, {}, { hub: 'two' }, { hub: 'two', shard: 1, more: 1 }]) {
    const message = expect.stringMatching(/^options\.labels is .*: expected the label names .*: hub, shard\.$/);
    expect(refusal({ registry: shared, labels: given })).toMatchObject({ code: 'INVALID_OPTION', message });
  }
  const same = refusal({ registry: shared, labels: { shard: '1', hub: 'one' } });
  expect(same).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringMatching(/values that tell this hub/) });
});

it('refuses a prefix that makes names the registry has, and adds nothing then', () => {
  const taken = registry();
  const own = new Gauge({ name: 'ssekify_rooms', help: 'Mine.', registers: [taken] });
  const error = refusal({ registry: taken });
  expect(error).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringMatching(/has a metric ssekify_rooms/) });
  expect(taken.getMetricsAsArray()).toEqual([own]);
});
