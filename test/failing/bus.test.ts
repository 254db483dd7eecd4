import { setImmediate as nextTurn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { RedisLike, SSEKifyError, SSEKifyOptions } from '../../src/index.js';
import { openStream } from '../helpers/client.js';
import { collect, next } from '../helpers/emitted.js';
import { MemoryBus } from '../helpers/memory-bus.js';
import { serveHub } from '../helpers/server.js';
import { stopwatch } from '../helpers/stopwatch.js';

async function instance(bus: MemoryBus, options: SSEKifyOptions = {}) {
  const adapter = bus.adapter();
  const hub = await serveHub({ hub: { ...options, redis: adapter } });
  const errors = collect(hub.sse, 'error');
  await hub.sse.ready();
  const ann = await openStream(`${hub.url}/ann`);
  return { ...hub, adapter, errors, ann, said: () => ann.events.map(({ data }) => data) };
}

const codes = (errors: SSEKifyError[]) => errors.map(({ code }) => code);

it('makes a lost echo good here, once, and takes no notice of one that comes late', async () => {
  const bus = new MemoryBus();
  const [a, b] = [await instance(bus), await instance(bus)];
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

it('gives a client that comes back after a lost echo a gap, and one without silence', async () => {
  const bus = new MemoryBus();
  const a = await instance(bus);
  await a.sse.publishToUser('ann', 0, { id: 'before' });
  await a.ann.received(1);
  a.adapter.losesEchoes = true;
  await a.sse.publishToUser('ann', 1, { id: 'lost' });
  await a.ann.received(2);
  a.adapter.losesEchoes = false;
  const back = await openStream(`${a.url}/ann`, { lastEventId: 'before' });
  const gap = await back.event('server:gap');
  expect(JSON.parse(gap.data)).toMatchObject({ lastEventId: 'before', reason: 'evicted' });
  await a.sse.publishToUser('ann', 2, { id: 'after' });
  await a.ann.received(3);
  const later = await openStream(`${a.url}/ann`, { lastEventId: 'after' });
  a.sse.sendToUser('ann', 3);
  expect((await later.received(1))[0]?.data).toBe('3');
});

it('gives a client a gap that stands where the others have yet to get what was delivered here before', async () => {
  const bus = new MemoryBus();
  const [a, b] = [await instance(bus), await instance(bus)];
  a.adapter.refusal = new Error('refused');
  await a.sse.publishToUser('ann', 1, { id: 'early' }).catch(() => undefined);
  a.adapter.refusal = undefined;
  await b.sse.publishToUser('ann', 2, { id: 'between' });
  await a.ann.received(2);
  await b.ann.received(1);
  await a.sse.publishToUser('ann', 1, { id: 'early' });
  await b.ann.received(2);
  expect([a.said(), b.said()]).toEqual([
    ['1', '2'],
    ['2', '1'],
  ]);
  const back = await openStream(`${a.url}/ann`, { lastEventId: 'between' });
  a.sse.sendToUser('ann', 3);
  await back.until(({ events }) => events.some(({ data }) => data === '3'));
  expect(back.events[0]?.event).toBe('server:gap');
  expect(JSON.parse(back.events[0]?.data ?? '')).toEqual({ lastEventId: 'between', reason: 'evicted' });
});

it('gives a client a gap that goes elsewhere with the id of what was delivered here before others had published', async () => {
  const bus = new MemoryBus();
  const [a, b, c] = [await instance(bus), await instance(bus), await instance(bus)];
  a.adapter.tell('down');
  a.adapter.delays = true;
  a.adapter.refusal = new Error('refused');
  const refused = await a.sse.publishToUser('ann', 1).catch((error: SSEKifyError) => error);
  await a.ann.received(1);
  await b.sse.publishToUser('ann', 2);
  a.adapter.refusal = undefined;
  const heard = collect(b.sse, 'publish');
  // Retried once more, it may be new to one that was away the first time.
  const { lastEventId } = a.ann;
  for (let time = 0; time < 2; time += 1) {
    await a.sse.publishToUser('ann', 1, { id: refused.id });
    a.adapter.arrive();
  }
  await b.sse.publishToUser('ann', 3);
  await b.ann.received(3);
  expect(heard.map(({ again }) => again)).toEqual([true, true, undefined]);
  expect(b.said()).toEqual(['2', '1', '3']);
  const moved = await openStream(`${b.url}/ann`, { lastEventId });
  await moved.until(({ events }) => events.some(({ data }) => data === '3'));
  expect(moved.events[0]?.event).toBe('server:gap');
  expect(JSON.parse(moved.events[0]?.data ?? '')).toEqual({ lastEventId: refused.id, reason: 'evicted' });
  // Nobody was given early what is published by an instance that nobody is connected to.
  c.ann.close();
  await expect.poll(() => c.sse.stats().connections).toBe(0);
  c.adapter.refusal = new Error('refused');
  const { id } = await c.sse.publishToUser('ann', 4).catch((error: SSEKifyError) => error);
  c.adapter.refusal = undefined;
  await c.sse.publishToUser('ann', 4, { id });
  await b.ann.received(4);
  const position = await openStream(`${b.url}/ann`, { lastEventId: b.ann.events[2]?.id ?? '' });
  await position.received(1);
  expect(position.events.map(({ data }) => data)).toEqual(['4']);
});

it.each([undefined, false] as const)(
  'tells those who came between a fall-back and its retry that they lack it, and no others, echo %s',
  async (echo) => {
    const bus = new MemoryBus();
    const adapter = bus.adapter(echo === undefined ? {} : { echo });
    const a = await serveHub({ hub: { redis: adapter } });
    a.sse.on('error', () => undefined);
    const b = await instance(bus);
    const there = await openStream(`${a.url}/ann`);
    await a.sse.ready();
    adapter.refusal = new Error('refused');
    const { id } = await a.sse.publishToAll(1).catch((error: SSEKifyError) => error);
    await there.received(1);
    adapter.refusal = undefined;
    await b.sse.publishToUser('ann', 2, { id: 'between' });
    const moved = await openStream(`${a.url}/ann`, { lastEventId: 'between' });
    const fresh = await openStream(`${a.url}/ann`);
    // The second time, all others have it and it is in its place.
    for (let time = 0; time < 2; time += 1) await a.sse.publishToAll(1, { id });
    const late = await openStream(`${a.url}/ann`);
    await a.sse.publishToAll(1, { id });
    await b.sse.publishToUser('ann', 3);
    const heard = async (stream: typeof moved) => {
      await stream.until(({ events }) => events.some(({ data }) => data === '3'));
      return stream.events.map(({ event, data }) => (event === 'server:gap' ? JSON.parse(data) : data));
    };
    expect(await heard(there)).toEqual(['1', '2', '3']);
    expect(await heard(moved)).toEqual([{ lastEventId: 'between', reason: 'evicted' }, '3']);
    expect(await heard(fresh)).toEqual([{ lastEventId: '', reason: 'evicted' }, '3']);
    expect(await heard(late)).toEqual(['3']);
    expect(a.sse.stats().gaps.evicted).toBe(2);
  },
);

it('gives a client a gap that goes elsewhere with the id of what was resent to it before others had it', async () => {
  const bus = new MemoryBus();
  const [a, b] = [await instance(bus), await instance(bus)];
  await a.sse.publishToAll(0, { id: 'before' });
  a.adapter.refusal = new Error('refused');
  await a.sse.publishToUser('bob', 1, { id: 'early' }).catch(() => undefined);
  a.adapter.refusal = undefined;
  const bob = await openStream(`${a.url}/bob`, { lastEventId: 'before' });
  expect((await bob.received(2))[1]?.id).toBe('early');
  await b.sse.publishToUser('bob', 2);
  await a.sse.publishToUser('bob', 1, { id: 'early' });
  // It was cut off in the midst of what was resent, before the cursor behind it.
  const moved = await openStream(`${b.url}/bob`, { lastEventId: 'early' });
  b.sse.sendToUser('bob', 3);
  expect((await moved.received(1))[0]?.event).toBe('server:gap');
});

it('tells one who came into a room between a fall-back and its retry that it lacks it', async () => {
  const bus = new MemoryBus();
  const a = await instance(bus);
  const [handle] = a.handles.slice(-1);
  a.adapter.refusal = new Error('refused');
  const { id } = await a.sse.publishToRoom('lobby', 1).catch((error: SSEKifyError) => error);
  a.adapter.refusal = undefined;
  handle?.join('lobby');
  await a.sse.publishToRoom('lobby', 1, { id });
  const gap = await a.ann.event('server:gap');
  expect(JSON.parse(gap.data)).toEqual({ lastEventId: '', reason: 'evicted' });
});

it.each(['lost', 'not to come'])('tells who came before a retry whose echo is %s that they lack it', async (echo) => {
  const a = await instance(new MemoryBus());
  a.adapter.refusal = new Error('refused');
  const { id } = await a.sse.publishToAll(1).catch((error: SSEKifyError) => error);
  await a.ann.received(1);
  a.adapter.refusal = undefined;
  const fresh = await openStream(`${a.url}/ann`);
  a.adapter.losesEchoes = true;
  if (echo !== 'lost') a.adapter.tell('down');
  await a.sse.publishToAll(1, { id });
  const gap = await fresh.event('server:gap');
  expect(JSON.parse(gap.data)).toEqual({ lastEventId: '', reason: 'evicted' });
  expect(a.said()).toEqual(['1']);
});

it('tells one whom a listener let into a room while it fell back that it lacks it', async () => {
  const a = await instance(new MemoryBus());
  const [handle] = a.handles.slice(-1);
  a.adapter.refusal = new Error('refused');
  a.sse.once('message-sent', () => {
    handle?.join('lobby');
    a.sse.sendToRoom('lobby', 'hello');
  });
  const { id } = await a.sse.publishToRoom('lobby', 1).catch((error: SSEKifyError) => error);
  a.adapter.refusal = undefined;
  await a.sse.publishToRoom('lobby', 1, { id });
  await a.ann.event('server:gap');
  expect(a.said().slice(0, -1)).toEqual(['"hello"']);
});

it('keeps the history in doubt while the subscription is lost, whatever still arrives of before', async () => {
  const bus = new MemoryBus();
  const a = await instance(bus);
  await a.sse.publishToUser('ann', 0, { id: 'before' });
  await a.ann.received(1);
  a.adapter.delays = true;
  await a.sse.publishToUser('ann', 1, { id: 'late' });
  a.adapter.tell('down');
  await a.ann.received(2);
  a.adapter.arrive();
  expect(a.sse.stats().bus).toMatchObject({ state: 'down', fallbacks: 1, duplicates: 1 });
  const back = await openStream(`${a.url}/ann`, { lastEventId: 'late' });
  const gap = await back.event('server:gap');
  expect(JSON.parse(gap.data)).toEqual({ lastEventId: 'late', reason: 'evicted' });
});

it('gives a client a gap that stood here before the first subscription did, since others may have published', async () => {
  const bus = new MemoryBus();
  const b = await instance(bus);
  const adapter = bus.adapter();
  const subscribe = adapter.subscribe.bind(adapter);
  let connect: () => void = () => undefined;
  adapter.subscribe = (channel) =>
    new Promise((resolve) => {
      connect = () => resolve(subscribe(channel));
    });
  const { sse, url } = await serveHub({ hub: { redis: adapter } });
  const early = await openStream(`${url}/ann`);
  sse.sendToUser('ann', 0);
  await early.received(1);
  await b.sse.publishToUser('ann', 1);
  connect();
  await sse.ready();
  const back = await openStream(`${url}/ann`, { lastEventId: early.lastEventId });
  sse.sendToUser('ann', 2);
  const [gap] = await back.received(1);
  expect(gap).toMatchObject({ event: 'server:gap', data: expect.stringContaining('evicted') });
});

it('gives clients that come back a gap while the subscription is lost, until it stands again', async () => {
  const bus = new MemoryBus();
  const a = await instance(bus);
  await a.sse.publishToUser('ann', 0);
  await a.ann.received(1);
  let { lastEventId } = a.ann;
  const comesBack = async (word: number) => {
    const back = await openStream(`${a.url}/ann`, { lastEventId });
    a.sse.sendToUser('ann', word);
    await back.until(({ events }) => events.some(({ data }) => data === String(word)));
    ({ lastEventId } = back);
    return back.events.filter(({ event }) => event === 'server:gap').length;
  };
  a.adapter.tell('down');
  // What is delivered here alone makes nothing whole.
  a.adapter.losesEchoes = true;
  await a.sse.publishToUser('ann', 'alone');
  expect([await comesBack(1), await comesBack(2)]).toEqual([1, 1]);
  a.adapter.tell('up');
  expect([await comesBack(3), await comesBack(4)]).toEqual([1, 0]);
});

it('resolves before its echo, and delivers at once where none is to come', async () => {
  const bus = new MemoryBus();
  const a = await instance(bus);
  a.adapter.delays = true;
  await a.sse.publishToUser('ann', 1);
  expect(a.said()).toEqual([]);
  a.adapter.delays = false;
  a.adapter.arrive();
  await a.ann.received(1);
});

it('rejects what is not answered within five seconds, and delivers what came back all the same', async () => {
  const bus = new MemoryBus();
  const [a, b] = [await instance(bus), await instance(bus)];
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
  const [a, b] = [await instance(bus), await instance(bus)];
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
  const [a, b] = [await instance(bus), await instance(bus)];
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
  const a = await instance(bus);
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
  const a = await instance(bus);
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
  const a = await instance(new MemoryBus());
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
  const [a, b] = [await instance(bus), await instance(bus)];
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
