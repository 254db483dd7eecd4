import { expect, it, vi } from 'vitest';
import { SSEKify, type SSEKifyOptions } from '../../src/index.js';
import { LocalCounters } from '../../src/stamp/counters.js';
import { atEnd } from '../helpers/cleanup.js';
import { openStream } from '../helpers/client.js';
import { collect } from '../helpers/emitted.js';
import { heapGrowth } from '../helpers/memory.js';
import { MemoryBus } from '../helpers/memory-bus.js';
import { serveHub } from '../helpers/server.js';

/** A hub without connections, with what it would have sent. */
function hubOf(hub: SSEKifyOptions = {}) {
  const sent: Record<string, unknown>[] = [];
  const sse = new SSEKify({
    autoFields: { timestamp: false },
    ...hub,
    serializer: (data) => {
      sent.push(structuredClone(data) as Record<string, unknown>);
      return JSON.stringify(data);
    },
  });
  atEnd(() => sse.shutdown({ graceMs: 0 }));
  const numbers = (field = 'seq') => sent.splice(0).map((data) => data[field]);
  return { sse, numbers };
}

it('numbers each key from 0, over users, rooms, everyone and publish', async () => {
  const { sse, url, handle } = await serveHub({ hub: { autoFields: { timestamp: false } } });
  const client = await openStream(`${url}/ann?rooms=r`);
  const ann = await handle(0);
  sse.sendToUser('ann', { requestId: 'a' });
  sse.sendToRoom('r', { requestId: 'a' });
  sse.sendToAll({ streamId: 'b' });
  await sse.publish({ requestId: 'a' });
  sse.sendToUser('nobody', { requestId: 'a' });
  ann.send({ requestId: 'a' });
  sse.sendToUser('ann', { streamId: 'b' });
  expect((await client.received(6)).map(({ data }) => JSON.parse(data).seq)).toEqual([0, 1, 0, 2, 4, 1]);
  expect(sse.stats()).toMatchObject({ seqIncrsLocal: 7, seqIncrsRedis: 0, lastSeqKvFallbackAt: 0 });
});

it('gives no number twice when data sends under its key while it is serialized', async () => {
  const hubs = [new SSEKify({ redis: new MemoryBus().adapter() }), new SSEKify()];
  for (const sse of hubs) {
    atEnd(() => sse.shutdown({ graceMs: 0 }));
    sse.on('error', () => undefined);
    const published = collect(sse, 'publish');
    const part = { toJSON: () => void sse.publish({ requestId: 'a' }) };
    await sse.publish({ requestId: 'a', part });
    await sse.publish({ requestId: 'a' });
    expect(published).toMatchObject([0, 1, 2].map((seq) => ({ data: { seq } })));
  }
});

it('takes requestId before streamId, and the first of the two that is usable', () => {
  const { sse, numbers } = hubOf();
  for (const data of [
    { requestId: 'a', streamId: 'b' },
    { streamId: 'b' },
    { requestId: 'a' },
    { requestId: '', streamId: 'b' },
    { requestId: null, streamId: 'b' },
    { requestId: 42 },
    { requestId: '42' },
    { requestId: '__proto__' },
    { requestId: '__proto__' },
  ])
    sse.sendToUser('ann', data);
  expect(numbers()).toEqual([0, 0, 1, 1, 2, 0, 1, 0, 1]);
});

it('leaves data alone that has no key, has a number, or is no plain object', () => {
  const { sse, numbers } = hubOf();
  sse.sendToUser('ann', { a: 1 });
  sse.sendToUser('ann', { requestId: 'a', seq: 7 });
  sse.sendToUser('ann', { requestId: 'a', seq: 0 });
  sse.sendToUser('ann', { requestId: {} });
  sse.sendToUser('ann', { requestId: Number.NaN });
  sse.sendToUser('ann', [{ requestId: 'a' }]);
  sse.sendToUser('ann', { requestId: 'a' });
  expect(numbers()).toEqual([undefined, 7, 0, undefined, undefined, undefined, 0]);
});

it('numbers nothing when enableSeq is false', () => {
  const { sse, numbers } = hubOf({ enableSeq: false });
  sse.sendToUser('ann', { requestId: 'a' });
  expect(numbers()).toEqual([undefined]);
  expect(sse.stats().seqIncrsLocal).toBe(0);
});

it('starts at 1, writes to another field and takes another key when told so', () => {
  const { sse, numbers } = hubOf({
    seq: { startAt: 1, fieldName: 'n', keyExtractor: ({ job }) => (job === 'none' ? undefined : String(job)) },
  });
  for (const job of ['x', 'x', 'none', 'y']) sse.sendToUser('ann', { job, requestId: 'ignored' });
  sse.sendToUser('ann', { job: 'x', n: 9 });
  expect(numbers('n')).toEqual([1, 2, undefined, 1, 9]);
});

it.each([[{ final: true }], [{ phase: 'done' }], [{ phase: 'error' }]])('forgets a key 60 seconds after %j', (last) => {
  vi.useFakeTimers();
  const { sse, numbers } = hubOf();
  sse.sendToUser('ann', { requestId: 'a' });
  sse.sendToUser('ann', { requestId: 'b' });
  sse.sendToUser('ann', { requestId: 'a', ...last });
  vi.advanceTimersByTime(59_000);
  sse.sendToUser('ann', { requestId: 'b' });
  vi.advanceTimersByTime(1000);
  sse.sendToUser('ann', { requestId: 'a' });
  sse.sendToUser('ann', { requestId: 'b' });
  expect(numbers()).toEqual([0, 0, 1, 1, 0, 2]);
});

it('goes on for a released key that is used again within the 60 seconds', () => {
  vi.useFakeTimers();
  const { sse, numbers } = hubOf();
  sse.sendToUser('ann', { requestId: 'a', final: true });
  vi.advanceTimersByTime(59_000);
  sse.sendToUser('ann', { requestId: 'a', final: true });
  expect(numbers()).toEqual([0, 1]);
});

it('releases by finalPredicate instead, when there is one', () => {
  vi.useFakeTimers();
  const { sse, numbers } = hubOf({ seq: { finalPredicate: ({ last }) => last === 'yes' } });
  sse.sendToUser('ann', { requestId: 'a', last: 'yes' });
  sse.sendToUser('ann', { requestId: 'b', final: true });
  vi.advanceTimersByTime(61_000);
  sse.sendToUser('ann', { requestId: 'a' });
  sse.sendToUser('ann', { requestId: 'b' });
  expect(numbers()).toEqual([0, 0, 0, 1]);
});

it('takes no number for data that is refused', async () => {
  const { sse, numbers } = hubOf({
    maxPayloadBytes: 200,
    seq: {
      frameIdPolicy: (data) => {
        if (Reflect.get(Object(data), 'bad') === 'id') throw new Error('no id');
        return 'ok';
      },
    },
  });
  const errors = collect(sse, 'error');
  sse.sendToUser('ann', { requestId: 'a' });
  expect(sse.sendToUser('ann', { requestId: 'a', big: 'x'.repeat(300) })).toBe(0);
  expect(sse.sendToUser('ann', { requestId: 'a', bad: 1n })).toBe(0);
  expect(sse.sendToUser('ann', { requestId: 'a', bad: 'id' })).toBe(0);
  expect(() => sse.sendToUser('ann', { requestId: 'a' }, { id: '\n' })).toThrow();
  await expect(sse.publish({ requestId: 'a', bad: 1n })).rejects.toMatchObject({ code: 'NOT_SERIALIZABLE' });
  numbers();
  sse.sendToUser('ann', { requestId: 'a' });
  expect(numbers()).toEqual([1]);
  expect(errors.map(({ code }) => code)).toEqual([
    'PAYLOAD_TOO_LARGE',
    'NOT_SERIALIZABLE',
    'STAMP_FAILED',
    'NOT_SERIALIZABLE',
  ]);
  expect(sse.stats().seqIncrsLocal).toBe(2);
});

it('reports a keyExtractor or finalPredicate that throws, and sends nothing', () => {
  const fail = () => {
    throw new Error('mine');
  };
  for (const seq of [{ keyExtractor: fail }, { finalPredicate: fail }]) {
    const { sse } = hubOf({ seq });
    const errors = collect(sse, 'error');
    expect(sse.sendToUser('ann', { requestId: 'a' })).toBe(0);
    expect(errors).toMatchObject([{ code: 'STAMP_FAILED' }]);
    expect(sse.stats().recentItems).toBe(0);
  }
});

it('reports a keyExtractor or finalPredicate that gives a promise, and sends nothing', () => {
  const late = () => Promise.reject(new Error('mine')) as never;
  for (const name of ['keyExtractor', 'finalPredicate']) {
    const { sse } = hubOf({ seq: { [name]: late } });
    const errors = collect(sse, 'error');
    expect(sse.sendToUser('ann', { requestId: 'a' })).toBe(0);
    expect(errors).toMatchObject([{ code: 'STAMP_FAILED', message: expect.stringMatching(`${name}.*promise`) }]);
    expect(sse.stats().recentItems).toBe(0);
  }
});

it('holds 100,000 keys at most, least recently used first to go, when a million never finish', () => {
  const sse = new SSEKify({ recentBufferSize: 0, recentMaxUsers: 1 });
  atEnd(() => sse.shutdown({ graceMs: 0 }));
  const grown = heapGrowth(() => {
    for (let key = 0; key < 1_000_000; key += 1) {
      sse.sendToUser('ann', { requestId: `request-${key}` });
      if (key % 50_000 === 0) sse.sendToUser('ann', { requestId: 'in use' });
    }
  });
  expect(grown).toBeLessThan(30e6);
  const seen: unknown[] = [];
  sse.on('publish', ({ data }) => seen.push(Reflect.get(Object(data), 'seq')));
  void sse.publish({ requestId: 'in use' }, 'ann');
  void sse.publish({ requestId: 'request-0' }, 'ann');
  void sse.publish({ requestId: 'request-999999' }, 'ann');
  expect(seen).toEqual([20, 0, 1]);
}, 60_000);

it('lets go of very many released keys little by little, and gives none of them its old number', () => {
  let now = 0;
  const counters = new LocalCounters(0, () => now);
  for (let key = 0; key < 10_000; key += 1) counters.take(`k${key}`, 5, true);
  now = 60_000;
  expect(counters.next('k9999')).toBe(0);
  // Nor does one that only hears of the key's first number after it.
  counters.take('k9998', 0, false);
  expect(counters.next('k9998')).toBe(1);
  expect(counters.size).toBeGreaterThan(9000);
  counters.take('k9998', 1, true);
  now = 120_000;
  for (let key = 0; key < 200; key += 1) counters.next('other');
  expect(counters.size).toBe(0);
});
