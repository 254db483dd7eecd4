import { expect, it } from 'vitest';
import type { SSEKifyError } from '../../src/index.js';
import { busInstance } from '../helpers/bus-instance.js';
import { openStream } from '../helpers/client.js';
import { collect } from '../helpers/emitted.js';
import { MemoryBus } from '../helpers/memory-bus.js';
import { serveHub } from '../helpers/server.js';

it('gives a client that comes back after a lost echo a gap, and one without silence', async () => {
  const bus = new MemoryBus();
  const a = await busInstance(bus);
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
  const [a, b] = [await busInstance(bus), await busInstance(bus)];
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
  const [a, b, c] = [await busInstance(bus), await busInstance(bus), await busInstance(bus)];
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
    const b = await busInstance(bus);
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
  const [a, b] = [await busInstance(bus), await busInstance(bus)];
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
  const a = await busInstance(bus);
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
  const a = await busInstance(new MemoryBus());
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
  const a = await busInstance(new MemoryBus());
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
  const a = await busInstance(bus);
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
  const b = await busInstance(bus);
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
  const a = await busInstance(bus);
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
