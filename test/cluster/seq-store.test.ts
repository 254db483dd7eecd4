import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import type { SSEKifyError, SSEKifyOptions } from '../../src/index.js';
import { openStream, type StreamClient } from '../helpers/client.js';
import { collect } from '../helpers/emitted.js';
import { MemoryBus, MemoryStore } from '../helpers/memory-bus.js';
import { serveHub } from '../helpers/server.js';
import { stopwatch } from '../helpers/stopwatch.js';
import { createHub, read, requestFor } from '../web/responses.js';

async function instance(options: SSEKifyOptions) {
  const { sse, url } = await serveHub({ hub: { recentBufferSize: 1000, ...options } });
  const errors = collect(sse, 'error');
  await sse.ready();
  return { sse, errors, ann: await openStream(`${url}/ann`) };
}

const field = (client: StreamClient, name: string) => client.events.map(({ data }) => JSON.parse(data)[name]);
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);
const fallbacks = (errors: SSEKifyError[]) => errors.filter(({ code }) => code === 'SEQ_KV_FALLBACK');
const serializers = [undefined, (data: unknown) => `${JSON.stringify(data)} `];

for (const serializer of serializers) {
  const how = serializer === undefined ? '' : ', and its own serializer';

  it(`asks a plain adapter's store for numbers at once, and publishes in call order${how}`, async () => {
    const bus = new MemoryBus();
    const a = await instance({ redis: bus.adapter({ counters: 'methods' }), serializer });
    bus.store.holding = true;
    const publishes = range(0, 20).map((n) => a.sse.publishToUser('ann', { requestId: 'k', n }));
    publishes.push(a.sse.publishToUser('ann', { n: 20 }));
    expect(bus.store.held).toBe(20);
    bus.store.release();
    await Promise.all(publishes);
    await a.ann.received(21);
    expect(field(a.ann, 'n')).toEqual(range(0, 21));
    expect(field(a.ann, 'seq')).toEqual([...range(0, 20), undefined]);
    expect(bus.store.incrs).toBe(20);
    expect(bus.store.expiries.get('ssekify:seq:k')).toBe(86_400_000);
  });

  it(`never goes back, though a store answers out of order${how}`, async () => {
    const bus = new MemoryBus();
    bus.store.counts.set('ssekify:seq:k', 100);
    const a = await instance({ redis: bus.adapter({ counters: 'kv' }), serializer });
    bus.store.holding = true;
    const publishes = range(0, 10).map((n) => a.sse.publishToUser('ann', { requestId: 'k', n }));
    bus.store.release((calls) => calls.reverse());
    await Promise.all(publishes);
    await a.ann.received(10);
    expect(field(a.ann, 'n')).toEqual(range(0, 10));
    const seqs = field(a.ann, 'seq');
    expect(seqs).toEqual([...seqs].sort((one, other) => one - other));
    expect(new Set(seqs).size).toBe(10);
    expect(seqs[0]).toBe(109);
  });

  it(`fixes what is published at the call, whatever becomes of the object until it has its number${how}`, async () => {
    const bus = new MemoryBus();
    bus.store.counts.set('ssekify:seq:k', 5);
    const a = await instance({ redis: bus.adapter({ counters: 'methods' }), serializer });
    const data = { requestId: 'k', list: [{ n: 0 }] };
    const published = a.sse.publishToUser('ann', data);
    for (const item of data.list) item.n = -1;
    data.requestId = 'other';
    await published;
    const [event] = await a.ann.received(1);
    expect(JSON.parse(event?.data ?? '')).toMatchObject({ requestId: 'k', list: [{ n: 0 }], seq: 5 });
  });

  it(`goes on from memory when the store fails midway, and lifts the store when it is back${how}`, async () => {
    const bus = new MemoryBus();
    const a = await instance({ redis: bus.adapter({ counters: 'methods' }), serializer });
    const publish = () => a.sse.publishToUser('ann', { requestId: 'k' });
    await publish();
    await publish();
    const before = Date.now();
    bus.store.failure = new Error('gone');
    await Promise.all([publish(), publish(), publish()]);
    expect(fallbacks(a.errors)).toMatchObject([
      {
        code: 'SEQ_KV_FALLBACK',
        level: 'warn',
        message: 'seq_kv_unavailable_fallback_memory',
        cause: { message: 'gone' },
      },
    ]);
    expect(a.sse.stats().lastSeqKvFallbackAt).toBeGreaterThanOrEqual(before);
    expect(a.sse.stats()).toMatchObject({ seqIncrsRedis: 2, seqIncrsLocal: 3 });
    bus.store.failure = undefined;
    await publish();
    await a.ann.received(6);
    expect(field(a.ann, 'seq')).toEqual(range(0, 6));
    expect(bus.store.counts.get('ssekify:seq:k')).toBe(6);
    expect(a.errors).toHaveLength(1);
    // The next failure is another one.
    bus.store.failure = new Error('gone again');
    await publish();
    expect(fallbacks(a.errors)).toMatchObject([{ cause: { message: 'gone' } }, { cause: { message: 'gone again' } }]);
    expect(a.sse.stats().bus).toMatchObject({ fallbacks: 0, refused: 0 });
  });
}

it('takes a store that is silent for one that failed', async () => {
  const bus = new MemoryBus();
  const a = await instance({ redis: bus.adapter({ counters: 'methods' }) });
  bus.store.holding = true;
  const elapsed = stopwatch();
  await Promise.all(range(0, 5).map((n) => a.sse.publishToUser('ann', { requestId: 'k', n })));
  expect(elapsed()).toBeLessThan(4500);
  await a.ann.received(5);
  expect(field(a.ann, 'seq')).toEqual(range(0, 5));
  expect(fallbacks(a.errors)).toHaveLength(1);
  bus.store.release();
});

it('is unharmed by a store that fails for a publish whose turn has not come', async () => {
  let answer: (count: number) => void = () => undefined;
  const asked = [() => new Promise<number>((resolve) => (answer = resolve)), () => Promise.reject(new Error('no'))];
  const store = { incr: async () => asked.shift()?.() ?? 0, expire: async () => 1 };
  const a = await instance({ redis: new MemoryBus().adapter(), seq: { redis: store } });
  const publishes = range(0, 2).map((n) => a.sse.publishToUser('ann', { requestId: 'k', n }));
  await new Promise((resolve) => setImmediate(resolve));
  answer(6);
  await Promise.all(publishes);
  await a.ann.received(2);
  expect(field(a.ann, 'seq')).toEqual([5, 6]);
  expect(fallbacks(a.errors)).toHaveLength(1);
});

it('takes a store for one that failed that is silent while it is lifted', async () => {
  const bus = new MemoryBus();
  const a = await instance({ redis: bus.adapter({ counters: 'methods' }) });
  for (let n = 0; n < 3; n += 1) a.sse.sendToUser('ann', { requestId: 'k', n });
  const published = a.sse.publishToUser('ann', { requestId: 'k', n: 3 });
  // It has been asked once, and is to be asked for those that were sent.
  bus.store.holding = true;
  await published;
  await a.ann.received(4);
  expect(field(a.ann, 'seq')).toEqual(range(0, 4));
  expect(bus.store.held).toBe(3);
  expect(fallbacks(a.errors)).toHaveLength(1);
  bus.store.release();
});

for (const answer of [Number.NaN, 'x', undefined, {}, 1.5]) {
  it(`does not take ${String(answer)} of a store for a number`, async () => {
    const store = { incr: async () => answer as number, expire: async () => 1 };
    const a = await instance({ redis: new MemoryBus().adapter(), seq: { redis: store } });
    await a.sse.publishToUser('ann', { requestId: 'k' });
    await a.ann.received(1);
    expect(field(a.ann, 'seq')).toEqual([0]);
    expect(fallbacks(a.errors)).toHaveLength(1);
  });
}

for (const answer of [1, 0, -5, null]) {
  it(`goes on from memory when a store gives ${answer} again and again`, async () => {
    const store = { incr: async () => answer as number, expire: async () => 1 };
    const a = await instance({ redis: new MemoryBus().adapter(), seq: { redis: store } });
    for (let n = 0; n < 3; n += 1) await a.sse.publishToUser('ann', { requestId: 'k' });
    await a.ann.received(3);
    expect(field(a.ann, 'seq')).toEqual([0, 1, 2]);
    expect(fallbacks(a.errors)).toHaveLength(1);
  });
}

it('leaves a store alone when lifting it takes longer than is waited for', async () => {
  const bus = new MemoryBus();
  const store = { incr: (key: string) => nextTurn().then(() => bus.store.incr(key)), expire: async () => 1 };
  const a = await instance({ redis: bus.adapter(), seq: { redis: store } });
  const madeUp = 2 ** 51;
  const data = { requestId: 'k', seq: madeUp };
  await bus.adapter().publish('ssekify:bus', JSON.stringify({ type: 'user', target: 'ann', data }));
  await a.sse.publishToUser('ann', { requestId: 'k' });
  await a.ann.received(2);
  expect(field(a.ann, 'seq')).toEqual([madeUp, madeUp + 1]);
  expect(fallbacks(a.errors)).toHaveLength(1);
  const askedInManyTurns = async () => {
    const before = bus.store.incrs;
    for (let turn = 0; turn < 100; turn += 1) await nextTurn();
    return bus.store.incrs - before;
  };
  await expect.poll(askedInManyTurns).toBe(0);
});

it('counts per instance, and says so once, where there is no store', async () => {
  const bus = new MemoryBus();
  const a = await instance({ redis: bus.adapter() });
  for (let n = 0; n < 3; n += 1) await a.sse.publishToUser('ann', { requestId: 'k' });
  await a.ann.received(3);
  expect(field(a.ann, 'seq')).toEqual([0, 1, 2]);
  expect(a.errors).toMatchObject([{ code: 'SEQ_KV_FALLBACK', level: 'warn' }]);
  expect(a.sse.stats()).toMatchObject({ seqIncrsLocal: 3, seqIncrsRedis: 0 });
  expect(a.sse.stats().lastSeqKvFallbackAt).toBeGreaterThan(0);
});

it('counts in memory without a word where that was chosen', async () => {
  const bus = new MemoryBus();
  const a = await instance({ redis: bus.adapter({ counters: 'methods' }), seq: { redis: null } });
  await a.sse.publishToUser('ann', { requestId: 'k' });
  await a.sse.publishToUser('ann', { requestId: 'k' });
  await a.ann.received(2);
  expect(field(a.ann, 'seq')).toEqual([0, 1]);
  expect(a.errors).toEqual([]);
  expect(bus.store.incrs).toBe(0);
  expect(a.sse.stats()).toMatchObject({ seqIncrsLocal: 2, lastSeqKvFallbackAt: 0 });
});

it('counts in its own store without a channel', async () => {
  const store = new MemoryStore();
  const a = await instance({ seq: { redis: store, startAt: 1 } });
  await a.sse.publishToUser('ann', { requestId: 'k' });
  await a.ann.received(1);
  expect(a.sse.sendToUser('ann', { requestId: 'k' })).toBe(1);
  await a.sse.publishToUser('ann', { requestId: 'k', final: true });
  await a.ann.received(3);
  expect(field(a.ann, 'seq')).toEqual([1, 2, 3]);
  expect(store.counts.get('ssekify:seq:k')).toBe(3);
  expect(store.expiries.get('ssekify:seq:k')).toBe(60_000);
  expect(a.sse.stats()).toMatchObject({ seqIncrsLocal: 1, seqIncrsRedis: 2 });
});

it('takes nothing for missed that was sent right at its start, when it has its own store and no channel', async () => {
  const sse = createHub({ seq: { redis: new MemoryStore() } });
  for (const id of ['one', 'two']) sse.sendToUser('ann', id, { id });
  await sse.ready();
  const back = read(sse.respond(requestFor('/sse?lastEventId=one'), 'ann'));
  expect((await back.received(1))[0]?.id).toBe('two');
});

it('counts alone in memory, and numbers nothing when that is off', async () => {
  const a = await instance({});
  await a.sse.publishToUser('ann', { requestId: 'k' });
  const b = await instance({ enableSeq: false, redis: new MemoryBus().adapter({ counters: 'kv' }) });
  await b.sse.publishToUser('ann', { requestId: 'k' });
  await Promise.all([a.ann.received(1), b.ann.received(1)]);
  expect([field(a.ann, 'seq'), field(b.ann, 'seq')]).toEqual([[0], [undefined]]);
  expect([...a.errors, ...b.errors]).toEqual([]);
});

it('tells once of counters that get no expiry', async () => {
  const store = {
    incr: (key: string) => memory.incr(key),
    expire: () => {
      throw new Error('no');
    },
  };
  const memory = new MemoryStore();
  const a = await instance({ redis: new MemoryBus().adapter(), seq: { redis: store } });
  for (let n = 0; n < 3; n += 1) await a.sse.publishToUser('ann', { requestId: 'k' });
  await a.ann.received(3);
  expect(field(a.ann, 'seq')).toEqual([0, 1, 2]);
  expect(a.errors).toMatchObject([{ code: 'BUS_ERROR', level: 'warn' }]);
  expect(a.sse.stats().seqIncrsRedis).toBe(3);
});

it('publishes no other number than its own when the serializer refuses that', async () => {
  const bus = new MemoryBus();
  const serializer = (data: unknown) => {
    if ((data as { seq: number }).seq > 0) throw new Error('one is enough');
    return JSON.stringify(data);
  };
  const a = await instance({ redis: bus.adapter({ counters: 'methods' }), serializer });
  bus.store.counts.set('ssekify:seq:k', 5);
  await expect(a.sse.publishToUser('ann', { requestId: 'k' })).rejects.toMatchObject({
    code: 'PUBLISH_REFUSED',
    delivered: 0,
    cause: { code: 'NOT_SERIALIZABLE' },
  });
  expect(bus.messages).toEqual([]);
  await a.sse.publishToUser('ann', { n: 1 });
  await a.ann.received(1);
});

it('forgets a key 60 seconds after its final number on instances that only heard of it, too', async () => {
  vi.useFakeTimers({ toFake: ['performance'] });
  const bus = new MemoryBus();
  const [a, b] = [
    await instance({ redis: bus.adapter({ counters: 'kv' }) }),
    await instance({ redis: bus.adapter({ counters: 'kv' }) }),
  ];
  for (const final of [false, false, true]) await a.sse.publishToUser('ann', { requestId: 'k', final });
  await b.ann.received(3);
  vi.advanceTimersByTime(60_000);
  bus.store.counts.delete('ssekify:seq:k');
  await a.sse.publishToUser('ann', { requestId: 'k' });
  await b.ann.received(4);
  await b.sse.publishToUser('ann', { requestId: 'k' });
  await a.ann.received(5);
  expect(field(a.ann, 'seq')).toEqual([0, 1, 2, 0, 1]);
});
