import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { RedisLike, SSEKifyError, SSEKifyOptions } from '../../src/index.js';
import { busInstance } from '../helpers/bus-instance.js';
import { openStream } from '../helpers/client.js';
import { collect, next } from '../helpers/emitted.js';
import { MemoryBus } from '../helpers/memory-bus.js';
import { serveHub } from '../helpers/server.js';
import { stopwatch } from '../helpers/stopwatch.js';

const codes = (errors: SSEKifyError[]) => errors.map(({ code }) => code);

it('makes a lost echo good here, once, and takes no notice of one that comes late', async () => {
  const bus = new MemoryBus();
  const [a, b] = [await busInstance(bus), await busInstance(bus)];
  a.adapter.delays = true;
  const lost = next(a.sse, 'error');
  await a.sse.publishToUser('ann', 1, { id: 'one' });
  await a.sse.publishToUser('ann', 2);
  await b.ann.received(2);
  expect(a.said()).toEqual([]);
  expect(await lost).toMatchObject({ code: 'ECHO_LOST', level: 'warn' });
  await a.ann.received(2);
  a.adapter.delays = false;
  a.adapter.arrive();
  await b.sse.publishToUser('ann', 3);
  await a.ann.received(3);
  expect(a.said()).toEqual(['1', '2', '3']);
  expect(codes(a.errors)).toEqual(['ECHO_LOST']);
  expect(a.sse.stats().bus).toMatchObject({ published: 2, fallbacks: 2, duplicates: 2, pending: 0 });
});

it('resolves before its echo, and delivers at once where none is to come', async () => {
  const bus = new MemoryBus();
  const a = await busInstance(bus);
  a.adapter.delays = true;
  await a.sse.publishToUser('ann', 1);
  expect(a.said()).toEqual([]);
  a.adapter.delays = false;
  a.adapter.arrive();
  await a.ann.received(1);
});

it('rejects what is not answered within five seconds, and delivers what came back all the same', async () => {
  const bus = new MemoryBus();
  const [a, b] = [await busInstance(bus), await busInstance(bus)];
  a.adapter.silent = true;
  const elapsed = stopwatch();
  // Its echo says that the channel has it.
  expect(await a.sse.publishToUser('ann', 1, { id: 'one' })).toEqual({ id: 'one' });
  a.adapter.delays = true;
  const publishes = [2, 3].map((n) => a.sse.publishToUser('ann', n, { id: `id ${n}` }));
  for (const [index, publish] of publishes.entries()) {
    const expected = { code: 'PUBLISH_UNANSWERED', outcome: 'unknown', id: `id ${index + 2}`, delivered: 1 };
    await expect(publish).rejects.toMatchObject(expected);
  }
  expect(elapsed()).toBeLessThan(5500);
  a.adapter.silent = false;
  a.adapter.delays = false;
  a.adapter.arrive();
  for (const n of [2, 3]) expect(await a.sse.publishToUser('ann', n, { id: `id ${n}` })).toEqual({ id: `id ${n}` });
  await a.sse.publishToUser('ann', 4);
  await Promise.all([a.ann.received(4), b.ann.received(4)]);
  expect(a.said()).toEqual(['1', '2', '3', '4']);
  expect(b.said()).toEqual(['1', '2', '3', '4']);
  expect(a.sse.stats().bus).toMatchObject({ unanswered: 2, pending: 0 });
});

it('delivers here, and says so, while the channel refuses; a retry with the id reaches the others once', async () => {
  const bus = new MemoryBus();
  const [a, b] = [await busInstance(bus), await busInstance(bus)];
  a.adapter.refusal = new Error('OOM command not allowed');
  for (let tries = 0; tries < 3; tries += 1) {
    const error = await a.sse.publishToUser('ann', 1, { id: 'one' }).catch((reason: SSEKifyError) => reason);
    expect(error).toMatchObject({
      code: 'PUBLISH_REFUSED',
      outcome: 'refused',
      id: 'one',
      delivered: tries === 0 ? 1 : 0,
      cause: { message: 'OOM command not allowed' },
    });
  }
  a.adapter.refusal = undefined;
  await a.sse.publishToUser('ann', 1, { id: 'one' });
  await a.sse.publishToUser('ann', 2);
  await Promise.all([a.ann.received(2), b.ann.received(2)]);
  expect([a.said(), b.said()]).toEqual([
    ['1', '2'],
    ['1', '2'],
  ]);
  expect(codes(a.errors)).toEqual(Array(3).fill('PUBLISH_REFUSED'));
  expect(a.sse.stats().bus).toMatchObject({ published: 2, refused: 3, fallbacks: 1 });
});

it('gives an id of its own to what is retried, so that every publish can be', async () => {
  const bus = new MemoryBus();
  const [a, b] = [await busInstance(bus), await busInstance(bus)];
  a.adapter.refusal = new Error('no');
  const error = await a.sse.publishToUser('ann', { requestId: 'k' }).catch((reason: SSEKifyError) => reason);
  if (error instanceof Error === false || error.id === undefined) throw new Error('no id');
  a.adapter.refusal = undefined;
  await a.sse.publishToUser('ann', { requestId: 'k' }, { id: error.id });
  await b.ann.received(1);
  await a.sse.publishToUser('ann', 'last');
  await Promise.all([a.ann.received(2), b.ann.received(2)]);
  expect(b.ann.events[0]?.id).toBe(error.id);
});

it('shows a subscription that is lost and found, delivers here meanwhile, and marks the history', async () => {
  const bus = new MemoryBus();
  const a = await busInstance(bus);
  await a.sse.publishToUser('ann', 0, { id: 'zero' });
  await a.ann.received(1);
  a.adapter.tell('down');
  expect(a.sse.stats().bus).toMatchObject({ state: 'down', outages: 1 });
  let isReady = false;
  const ready = a.sse.ready().then(() => {
    isReady = true;
  });
  await a.sse.publishToUser('ann', 1);
  await a.ann.received(2);
  expect(isReady).toBe(false);
  a.adapter.tell('up');
  await ready;
  expect(a.sse.stats().bus.state).toBe('up');
  const back = await openStream(`${a.url}/ann`, { lastEventId: 'zero' });
  expect(JSON.parse((await back.event('server:gap')).data).reason).toBe('evicted');
  expect(codes(a.errors)).toEqual(['BUS_DOWN']);
});

it('says one thing once in an outage, however often a client repeats it', async () => {
  const bus = new MemoryBus();
  const a = await busInstance(bus);
  for (let n = 0; n < 50; n += 1) a.adapter.fail(new Error('connect ECONNREFUSED'));
  a.adapter.fail('not even an error');
  a.adapter.fail(undefined);
  expect(a.errors.map(({ message }) => message)).toHaveLength(3);
  a.adapter.tell('down');
  a.adapter.tell('up');
  a.adapter.fail(new Error('connect ECONNREFUSED'));
  expect(codes(a.errors)).toEqual(['BUS_ERROR', 'BUS_ERROR', 'BUS_ERROR', 'BUS_DOWN', 'BUS_ERROR']);
});

it('reports once what its client tells with a longer pause each time', async () => {
  const a = await busInstance(new MemoryBus());
  for (let n = 1; n <= 200; n += 1) {
    // As ioredis says it.
    a.adapter.fail(new Error(`All sentinels are unreachable. Retrying from scratch after ${n * 10}ms.`));
  }
  a.adapter.fail(new Error('connect ECONNREFUSED 127.0.0.1:7000'));
  a.adapter.fail(new Error('connect ECONNREFUSED 127.0.0.1:7001'));
  expect(a.errors.map(({ message }) => message.split(': ')[1])).toEqual([
    'All sentinels are unreachable. Retrying from scratch after 10ms.',
    'connect ECONNREFUSED 127.0.0.1:7000',
    'connect ECONNREFUSED 127.0.0.1:7001',
  ]);
});

it('tries again when subscribing fails', async () => {
  const adapter = new MemoryBus().adapter();
  const subscribe = adapter.subscribe.bind(adapter);
  let tries = 0;
  adapter.subscribe = (channel) => {
    tries += 1;
    if (tries < 3) throw new Error('NOPERM');
    return subscribe(channel);
  };
  const { sse } = await serveHub({ hub: { redis: adapter } });
  expect(sse.stats().bus.state).toBe('connecting');
  await sse.ready();
  expect(tries).toBe(3);
  expect(sse.stats().errorCount).toBe(1);
});

for (const serializer of [undefined, (data: unknown) => `${JSON.stringify(data)} `]) {
  const how = serializer === undefined ? '' : ', and its own serializer';

  /** An instance whose channel numbers in one step. */
  async function numbered(numbers: NonNullable<RedisLike['publishNumbered']>) {
    const adapter = Object.assign(new MemoryBus().adapter(), { publishNumbered: numbers });
    const { sse, url } = await serveHub({ hub: { redis: adapter, serializer } });
    const errors = collect(sse, 'error');
    await sse.ready();
    const ann = await openStream(`${url}/ann`);
    const seqs = () => ann.events.map(({ data }) => JSON.parse(data).seq);
    return { adapter, sse, errors, ann, seqs };
  }

  it(`makes good with the number that Redis gave when an echo is lost${how}`, async () => {
    const a = await numbered(async (channel, { floor, expected, before, after }) => {
      const seq = Math.max(floor, 41);
      if (expected !== undefined && expected !== seq) return { seq, published: false };
      await a.adapter.publish(channel, `${before}${expected === undefined ? seq : ''}${after}`);
      return { seq, published: true };
    });
    a.adapter.losesEchoes = true;
    await a.sse.publishToUser('ann', { requestId: 'k' });
    await a.ann.received(1);
    expect(a.seqs()).toEqual([41]);
    expect(a.errors.map(({ code }) => code)).toEqual(['ECHO_LOST']);
    expect(a.sse.stats()).toMatchObject({ seqIncrsRedis: 1, seqIncrsLocal: 0 });
  });

  it(`gives each its own number here when the channel refuses, or does not answer, what was published at once${how}`, async () => {
    const refusing = await numbered(() => Promise.reject(new Error('refused')));
    const late: ((answer: { seq: number; published: boolean }) => void)[] = [];
    const silent = await numbered(() => new Promise((resolve) => late.push(resolve)));
    const ends = [refusing, silent].map(async ({ sse, ann, seqs }) => {
      await Promise.allSettled([0, 1, 2].map(() => sse.publishToUser('ann', { requestId: 'k' })));
      await ann.received(3);
      expect(seqs()).toEqual([0, 1, 2]);
      expect(sse.stats()).toMatchObject({ seqIncrsRedis: 0, seqIncrsLocal: 3 });
    });
    await Promise.all(ends);
    // Who retries has been told, so that nothing is tried again for them.
    const asked = late.length;
    for (const answer of late) answer({ seq: 41, published: false });
    await nextTurn();
    expect(late).toHaveLength(asked);
  });
}

it('waits at its end for publishes that are on their way', async () => {
  const bus = new MemoryBus();
  const [a, b] = [await busInstance(bus), await busInstance(bus)];
  bus.store.holding = true;
  a.ann.close();
  const adapter = bus.adapter({ counters: 'methods' });
  const { sse } = await serveHub({ hub: { redis: adapter } });
  await sse.ready();
  const publish = sse.publishToUser('ann', { requestId: 'k' });
  const over = sse.shutdown();
  bus.store.release();
  await Promise.all([publish, over]);
  await b.ann.received(1);
});

it.each([
  { publish() {}, subscribe() {} },
  { publish() {}, on() {} },
  { subscribe() {}, on() {} },
  {},
  [],
  5,
  true,
  () => undefined,
])('refuses an adapter of another shape when it is made: %j', async (redis) => {
  await expect(serveHub({ hub: { redis } as unknown as SSEKifyOptions })).rejects.toMatchObject({
    code: 'INVALID_OPTION',
  });
});
