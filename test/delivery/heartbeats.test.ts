import { expect, it, vi } from 'vitest';
import { type RegisterOptions, SSEKify, type SSEKifyOptions } from '../../src/index.js';
import { atEnd } from '../helpers/cleanup.js';
import { collect } from '../helpers/emitted.js';
import { flushed, MadeUpResponse } from '../helpers/made-up-response.js';
import { endWithTest } from '../helpers/server.js';

const FAKE = { toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance', 'Date'] } as const;

function connected(register: RegisterOptions = {}, hub: SSEKifyOptions = {}) {
  vi.useFakeTimers({ toFake: [...FAKE.toFake] });
  const sse = new SSEKify(hub);
  endWithTest(sse);
  atEnd(() => vi.useRealTimers());
  const response = new MadeUpResponse();
  const handle = sse.registerConnection('ann', response.asResponse(), register);
  response.writes.length = 0;
  const pass = async (ms: number) => {
    await vi.advanceTimersByTimeAsync(ms);
    await flushed();
  };
  return { sse, response, handle, pass };
}

it('sends a comment every keepAliveMs, and the library sends no other', async () => {
  const { response, pass } = connected();
  await pass(14_900);
  expect(response.writes).toEqual([]);
  await pass(300);
  expect(response.writes).toEqual([': ping\n\n']);
  for (let n = 0; n < 9; n += 1) await pass(15_200);
  expect(response.text).toBe(': ping\n\n'.repeat(10));
});

it('beats at its time when nothing else is due near it', async () => {
  const { response, pass } = connected();
  await pass(14_999);
  expect(response.writes).toEqual([]);
  await pass(2);
  expect(response.text).toBe(': ping\n\n');
  await pass(15_000);
  expect(response.text).toBe(': ping\n\n'.repeat(2));
});

it.each([
  ['of its own', { keepAliveMs: 50 }, {}],
  ['of the hub', {}, { keepAliveMs: 50 }],
  ['of the defaults for connections', {}, { connection: { keepAliveMs: 50 }, keepAliveMs: 9000 }],
])('beats at an interval %s', async (_whose, register, hub) => {
  const { response, pass } = connected(register, hub);
  await pass(130);
  expect(response.text).toBe(': ping\n\n'.repeat(2));
});

it('sends none with 0', async () => {
  const { response, pass } = connected({ keepAliveMs: 0 });
  await pass(24 * 3600_000);
  expect(response.writes).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

it('sends an event instead when asked to, encoded once, without id', async () => {
  let encoded = 0;
  const data = {
    toJSON: () => {
      encoded += 1;
      return { beat: true };
    },
  };
  const { sse, response, pass } = connected({ keepAliveMs: 50, keepAliveEvent: { event: 'beat', data } });
  await pass(180);
  expect(response.text).toBe('event: beat\ndata: {"beat":true}\n\n'.repeat(3));
  expect(encoded).toBe(1);
  expect(sse.stats().recentItems).toBe(0);
});

it('takes its own keepAliveEvent over that of the hub', async () => {
  const hub = { keepAliveMs: 50, keepAliveEvent: { event: 'theirs', data: 1 } };
  const { response, pass, sse } = connected({ keepAliveEvent: { event: 'mine', data: 2 } }, hub);
  const other = new MadeUpResponse();
  sse.registerConnection('bob', other.asResponse());
  await pass(60);
  expect(response.text).toBe('event: mine\ndata: 2\n\n');
  expect(other.text).toContain('event: theirs\ndata: 1\n\n');
});

it.each([
  ['a circular object', () => Object.assign(Object.create(null), { self: null })],
  ['nothing', () => undefined],
  ['a function', () => () => 1],
])('refuses %s as heartbeat data when it is given, not when it is due', (what, make) => {
  const data: unknown = make();
  if (what === 'a circular object') Object.assign(Object(data), { self: data });
  const keepAliveEvent = { event: 'beat', data };
  const refusal = expect.objectContaining({ code: 'NOT_SERIALIZABLE' });
  expect(() => new SSEKify({ keepAliveEvent })).toThrow(refusal);
  expect(() => new SSEKify({ connection: { keepAliveEvent } })).toThrow(refusal);
  const sse = new SSEKify();
  endWithTest(sse);
  const response = new MadeUpResponse();
  expect(() => sse.registerConnection('ann', response.asResponse(), { keepAliveEvent })).toThrow(refusal);
  expect(response.writes).toEqual([]);
  expect(sse.stats().connections).toBe(0);
});

it('neither waits behind a stalled client nor costs it a frame', async () => {
  const { sse, response, pass } = connected({ keepAliveMs: 50, maxQueueItems: 3 });
  response.takes = false;
  sse.sendToUser('ann', 'taken', { id: 't' });
  await flushed();
  for (let n = 1; n <= 3; n += 1) sse.sendToUser('ann', n, { id: n });
  await pass(1000);
  expect(response.text).toBe('id: t\ndata: "taken"\n\n');
  response.writes.length = 0;
  response.takes = true;
  response.drain();
  await flushed();
  expect(response.text).toBe('id: 1\ndata: 1\n\nid: 2\ndata: 2\n\nid: 3\ndata: 3\n\n');
  expect(sse.stats()).toMatchObject({ droppedOldest: 0, droppedNewest: 0 });
  await pass(60);
  expect(response.text.endsWith(': ping\n\n')).toBe(true);
});

it('does not beat after the connection closed', async () => {
  const { response, handle, pass } = connected({ keepAliveMs: 50 });
  handle.close();
  await flushed();
  await pass(500);
  expect(response.writes).toEqual([]);
  expect(vi.getTimerCount()).toBe(0);
});

it('ends a connection when its lifetime is over, after the frames it accepted', async () => {
  const { sse, response, handle, pass } = connected({ maxLifetimeMs: 10_000, keepAliveMs: 0 });
  const left = collect(sse, 'disconnect');
  await pass(8990);
  expect(handle.closed).toBe(false);
  sse.sendToUser('ann', 'last', { id: 1 });
  await pass(1010);
  expect(left).toMatchObject([{ userId: 'ann', reason: 'lifetime' }]);
  expect(response.text).toBe('id: 1\ndata: "last"\n\n');
  expect(response.ends).toBe(1);
});

it('shortens lifetimes by up to a tenth, each by another part, and never lengthens one', async () => {
  const { sse, pass } = connected({ keepAliveMs: 0 });
  const left = collect(sse, 'disconnect');
  const maxLifetimeMs = 60_000;
  for (let n = 0; n < 500; n += 1) {
    sse.registerConnection(`u${n}`, new MadeUpResponse().asResponse(), { maxLifetimeMs, keepAliveMs: 0 });
  }
  await pass(53_990);
  expect(left).toHaveLength(0);
  await pass(3000);
  expect(left.length).toBeGreaterThan(100);
  expect(left.length).toBeLessThan(400);
  await pass(3010);
  expect(left).toHaveLength(500);
  for (const { durationMs, reason } of left) {
    expect(reason).toBe('lifetime');
    expect(durationMs).toBeGreaterThanOrEqual(54_000);
    expect(durationMs).toBeLessThanOrEqual(60_000);
  }
});

it.each([20, 100, 300, 1000])('lengthens no lifetime of %i ms either', async (maxLifetimeMs) => {
  const { sse, pass } = connected({ keepAliveMs: 0 });
  const left = collect(sse, 'disconnect');
  for (let n = 0; n < 300; n += 1) {
    sse.registerConnection(`u${n}`, new MadeUpResponse().asResponse(), { maxLifetimeMs, keepAliveMs: 0 });
    await pass(1);
  }
  await pass(maxLifetimeMs);
  expect(left).toHaveLength(300);
  for (const { durationMs } of left) expect(durationMs).toBeLessThanOrEqual(maxLifetimeMs);
});

it('keeps one timer for all connections', () => {
  const { sse } = connected();
  const before = vi.getTimerCount();
  for (let n = 0; n < 200; n += 1) {
    const response = new MadeUpResponse();
    response.takes = n % 2 === 0;
    const options = { keepAliveMs: 1000 + n * 13, maxLifetimeMs: 50_000 + n, stallTimeoutMs: 3000 + n };
    sse.registerConnection(`u${n}`, response.asResponse(), options);
  }
  expect(before).toBe(1);
  expect(vi.getTimerCount()).toBe(1);
});

it('beats at the longest interval there is', async () => {
  const { response, pass } = connected({ keepAliveMs: 2 ** 31 - 1 });
  await pass(2 ** 31 - 2);
  expect(response.writes).toEqual([]);
  await pass(2 ** 31 / 100);
  expect(response.writes).toEqual([': ping\n\n']);
});

it('keeps its time right when it waits as long as a timer can', async () => {
  const { sse, handle, pass } = connected({ keepAliveMs: 2 ** 31 - 1 });
  const left = collect(sse, 'disconnect');
  await pass(2 ** 31 + 1000);
  handle.close();
  expect(left).toMatchObject([{ durationMs: 2 ** 31 + 1000 }]);
});
