import { expect, it } from 'vitest';
import { SSEKify } from '../../src/index.js';
import { openStream } from '../helpers/client.js';
import { collect } from '../helpers/emitted.js';
import { serveHub } from '../helpers/server.js';

it('serializes once per send, however many connections receive it', async () => {
  let calls = 0;
  const { sse, url, handle } = await serveHub({
    hub: {
      serializer: (data) => {
        calls += 1;
        return JSON.stringify(data);
      },
    },
  });
  const clients = await Promise.all(['ann', 'ann', 'bob', 'cid'].map((user) => openStream(`${url}/${user}?rooms=r`)));
  const ann = await handle(3);
  expect(sse.sendToAll({ a: 1 })).toBe(4);
  expect(sse.sendToRoom('r', { a: 2 })).toBe(4);
  expect(sse.sendToUser('ann', { a: 3 })).toBe(2);
  await sse.publishToAll({ a: 4 });
  await Promise.all(clients.map((client) => client.received(3)));
  expect(calls).toBe(4);
  ann.send('one');
  sse.sendToAll('as it is', { text: true });
  expect(calls).toBe(5);
});

it('sends what the object was, whatever becomes of it later', async () => {
  const { sse, url, handle } = await serveHub();
  const client = await openStream(`${url}/ann`);
  await handle(0);
  const data = { list: [1], nested: { a: 1 } };
  sse.sendToUser('ann', data);
  data.list.push(2);
  data.nested.a = 2;
  expect(JSON.parse((await client.received(1))[0]?.data ?? '')).toMatchObject({ list: [1], nested: { a: 1 } });
  const again = await openStream(`${url}/ann`, { lastEventId: 'x' });
  expect(JSON.parse((await again.received(2))[1]?.data ?? '')).toMatchObject({ list: [1], nested: { a: 1 } });
});

it('uses the serializer for what it sends, and not for text', async () => {
  const { sse, url, handle } = await serveHub({ hub: { serializer: (data) => `<${String(data)}>\n` } });
  const client = await openStream(`${url}/ann`);
  await handle(0);
  sse.sendToUser('ann', 5);
  sse.sendToUser('ann', 'plain', { text: true });
  expect((await client.received(2)).map(({ data }) => data)).toEqual(['<5>\n', 'plain']);
});

const circular: Record<string, unknown> = {};
circular.self = circular;
const { proxy, revoke } = Proxy.revocable({}, {});
revoke();
const UNUSABLE: [what: string, data: unknown][] = [
  ['a circular object', circular],
  ['a circular array', [circular]],
  ['a BigInt', 1n],
  ['an object with a BigInt', { n: 1n }],
  ['undefined', undefined],
  ['a function', () => 1],
  ['a symbol', Symbol('s')],
  ['an object whose toJSON throws', { toJSON: () => JSON.parse('{') }],
  ['an object whose toJSON gives nothing', { toJSON: () => undefined }],
  [
    'an object whose getter throws',
    {
      get a() {
        throw new Error('no a');
      },
    },
  ],
  [
    'an invalid date in an object with a throwing toISOString',
    [new Date(Number.NaN), { toJSON: () => new Date(Number.NaN).toISOString() }],
  ],
  ['a revoked proxy', proxy],
];

it.each(UNUSABLE)('sends %s to nobody, reports it, and goes on with the next event', async (_what, data) => {
  const { sse, url, handle } = await serveHub();
  const errors = collect(sse, 'error');
  const client = await openStream(`${url}/ann?rooms=r`);
  const ann = await handle(0);
  expect(sse.sendToUser('ann', data)).toBe(0);
  expect(sse.sendToRoom('r', data)).toBe(0);
  expect(sse.sendToAll(data)).toBe(0);
  expect(ann.send(data)).toBe(false);
  const code = expect.stringMatching(/^(NOT_SERIALIZABLE|STAMP_FAILED)$/);
  await expect(sse.publish(data)).rejects.toMatchObject({ code });
  expect(errors).toHaveLength(5);
  for (const error of errors) expect(error).toMatchObject({ name: 'SSEKifyError', code });
  expect(sse.sendToUser('ann', 'next')).toBe(1);
  expect((await client.received(1))[0]?.data).toBe('"next"');
  expect(sse.stats()).toMatchObject({ connections: 1, recentItems: 1, sent: 1, errorCount: 5 });
});

it.each([
  ['undefined', () => undefined],
  ['null', () => null],
  ['a number', () => 5],
  ['a Buffer', () => Buffer.from('x')],
  ['a promise', () => Promise.resolve('x')],
  ['a promise that is broken', () => Promise.reject(new Error('mine'))],
])('refuses what a serializer makes %s of', async (_what, serializer: () => unknown) => {
  const sse = new SSEKify({ serializer: serializer as () => string });
  const errors = collect(sse, 'error');
  expect(sse.sendToUser('ann', 1)).toBe(0);
  await expect(sse.publish(1)).rejects.toMatchObject({ code: 'NOT_SERIALIZABLE' });
  expect(errors.map(({ code }) => code)).toEqual(['NOT_SERIALIZABLE', 'NOT_SERIALIZABLE']);
});

it('keeps the cause of what a serializer throws', () => {
  const cause = new Error('mine');
  const sse = new SSEKify({
    serializer: () => {
      throw cause;
    },
  });
  const errors = collect(sse, 'error');
  sse.sendToAll(1);
  expect(errors[0]?.cause).toBe(cause);
});

it('takes exactly maxPayloadBytes UTF-8 bytes of serialized data, and not one more', async () => {
  const { sse, url, handle } = await serveHub({ hub: { maxPayloadBytes: 100 } });
  const errors = collect(sse, 'error');
  const client = await openStream(`${url}/ann`);
  await handle(0);
  const fit = ['x'.repeat(100), 'é'.repeat(50), '😀'.repeat(25), '\n'.repeat(100), `${'\uD800'.repeat(33)}x`];
  for (const text of fit) {
    expect(sse.sendToUser('ann', text, { text: true })).toBe(1);
    expect(sse.sendToUser('ann', `${text}x`, { text: true })).toBe(0);
  }
  expect(sse.sendToUser('ann', 'x'.repeat(98))).toBe(1);
  expect(sse.sendToUser('ann', 'x'.repeat(99))).toBe(0);
  await expect(sse.publish('é'.repeat(51), 'ann', { text: true })).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
  await client.received(6);
  expect(errors.map(({ code }) => code)).toEqual(Array(7).fill('PAYLOAD_TOO_LARGE'));
});

it('limits payloads to 1 MiB by default, and not at all with 0', () => {
  const text = 'x'.repeat(1024 * 1024);
  const usual = new SSEKify();
  const errors = collect(usual, 'error');
  usual.sendToAll(text, { text: true });
  usual.sendToAll(`${text}x`, { text: true });
  expect(errors).toHaveLength(1);
  expect(usual.stats().recentItems).toBe(1);
  const free = new SSEKify({ maxPayloadBytes: 0 });
  free.sendToAll(text.repeat(5), { text: true });
  expect(free.stats().recentItems).toBe(1);
});

it('sends as it is what looks like a plain object and is not written as one', async () => {
  const { sse, url, handle } = await serveHub();
  const client = await openStream(`${url}/ann`);
  await handle(0);
  const rawJson: unknown = Reflect.get(JSON, 'rawJSON');
  const all: [data: unknown, text: string][] = [
    [Object.setPrototypeOf([1], null), '[1]'],
    [Object.setPrototypeOf(new Number(5), Object.prototype), 'null'],
    [{ toJSON: () => 'text' }, '"text"'],
    [{ toJSON: () => [1] }, '[1]'],
  ];
  if (typeof rawJson === 'function') all.push([rawJson('12345678901234567890'), '12345678901234567890']);
  for (const [data] of all) expect(sse.sendToUser('ann', data)).toBe(1);
  expect((await client.received(all.length)).map(({ data }) => data)).toEqual(all.map(([, text]) => text));
});
