import { expect, it, vi } from 'vitest';
import { AgingMap } from '../../src/aging-map.js';
import { PositionIndex } from '../../src/delivery/position-index.js';
import { SSEKify } from '../../src/index.js';
import { openStream } from '../helpers/client.js';
import { heapGrowth } from '../helpers/memory.js';
import { serveHub } from '../helpers/server.js';

const MINUTE = 60_000;

it('drops a user’s and a room’s buffer when it was idle for recentTTLMs, and not before', () => {
  vi.useFakeTimers();
  const sse = new SSEKify({ recentTTLMs: 10 * MINUTE });
  sse.sendToUser('ann', 1);
  sse.sendToRoom('r', 1);
  sse.sendToAll(1);
  vi.advanceTimersByTime(9 * MINUTE);
  sse.sendToUser('ann', 2);
  expect(sse.stats()).toMatchObject({ recentBuffers: 2, recentItems: 4 });
  vi.advanceTimersByTime(1.2 * MINUTE);
  expect(sse.stats()).toMatchObject({ recentBuffers: 1, recentItems: 3 });
  vi.advanceTimersByTime(9 * MINUTE);
  expect(sse.stats()).toMatchObject({ recentBuffers: 0, recentItems: 1 });
  sse.sendToUser('ann', 3);
  vi.advanceTimersByTime(11 * MINUTE);
  expect(sse.stats()).toMatchObject({ recentBuffers: 0, recentItems: 1 });
});

it('drops very many buffers that are idle together little by little', () => {
  vi.useFakeTimers();
  const sse = new SSEKify();
  for (let user = 0; user < 5000; user += 1) sse.sendToUser(`u${user}`, 1);
  const seen = new Set<number>();
  while (sse.stats().recentBuffers > 0) {
    vi.advanceTimersToNextTimer();
    seen.add(sse.stats().recentBuffers);
  }
  expect(seen.size).toBeGreaterThan(10);
  expect(vi.getTimerCount()).toBe(0);
});

it('keeps buffers 30 minutes by default, and for ever with recentTTLMs 0', () => {
  vi.useFakeTimers();
  const usual = new SSEKify();
  const eternal = new SSEKify({ recentTTLMs: 0 });
  usual.sendToUser('ann', 1);
  eternal.sendToUser('ann', 1);
  vi.advanceTimersByTime(29 * MINUTE);
  expect(usual.stats().recentBuffers).toBe(1);
  vi.advanceTimersByTime(2 * MINUTE);
  expect(usual.stats().recentBuffers).toBe(0);
  vi.advanceTimersByTime(24 * 60 * MINUTE);
  expect(eternal.stats().recentBuffers).toBe(1);
  expect(vi.getTimerCount()).toBe(0);
});

it('tells a client whose missed events are too old, and not one that missed nothing', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance', 'Date'] });
  const { sse, url, handle } = await serveHub({ hub: { recentTTLMs: 10 * MINUTE, keepAliveMs: 0 } });
  sse.sendToUser('ann', 1, { id: 'seen' });
  sse.sendToUser('ann', 2, { id: 'missed' });
  sse.sendToUser('bob', 1, { id: 'newest' });
  vi.advanceTimersByTime(11 * MINUTE);
  const ann = await openStream(`${url}/ann`, { lastEventId: 'newest' });
  const bob = await openStream(`${url}/bob`, { lastEventId: 'newest' });
  const late = await openStream(`${url}/ann`, { lastEventId: 'seen' });
  (await handle(0)).send('end', { event: 'end' });
  (await handle(1)).send('end', { event: 'end' });
  await Promise.all([ann.event('end'), bob.event('end'), late.event('server:cursor')]);
  expect([ann, bob, late].map(({ events }) => events[0]?.event)).toEqual(['end', 'end', 'server:gap']);
});

it('keeps recentMaxUsers buffers of users and rooms, least recently used first to go, and never drops the broadcasts', async () => {
  const { sse, url, handle } = await serveHub({ hub: { recentMaxUsers: 3 } });
  sse.sendToAll('b', { id: 'b', text: true });
  sse.sendToUser('ann', 'a1', { id: 'a1', text: true });
  sse.sendToUser('bob', 'b1', { text: true });
  sse.sendToRoom('r', 'r1', { text: true });
  sse.sendToUser('ann', 'a2', { text: true });
  sse.sendToUser('cid', 'c1', { text: true });
  expect(sse.stats()).toMatchObject({ recentBuffers: 3, recentItems: 5 });
  const ann = await openStream(`${url}/ann`, { lastEventId: 'b' });
  await ann.received(2);
  expect(ann.events.map(({ data }) => data)).toEqual(['a1', 'a2']);
  const bob = await openStream(`${url}/bob`, { lastEventId: 'b' });
  expect((await bob.received(1))[0]?.event).toBe('server:gap');
  for (let user = 0; user < 100; user += 1) sse.sendToUser(`u${user}`, 1);
  const new1 = await openStream(`${url}/new`, { lastEventId: 'b' });
  (await handle(2)).send('end', { event: 'end' });
  await new1.event('end');
  expect(new1.events).toHaveLength(1);
  expect(sse.stats()).toMatchObject({ recentBuffers: 3, recentItems: 4 });
});

it('keeps recentMaxBytes over all buffers, and empties those first that are least used', async () => {
  const { sse, url } = await serveHub({ hub: { recentMaxBytes: 10_000, autoFields: { timestamp: false } } });
  sse.sendToAll('x'.repeat(1000), { id: 'all', text: true });
  for (let round = 0; round < 40; round += 1) {
    sse.sendToUser(`u${round % 8}`, 'ü'.repeat(450), { text: true });
    expect(sse.stats().recentBytes).toBeLessThanOrEqual(10_000);
  }
  expect(sse.stats().recentItems).toBeGreaterThan(8);
  const ann = await openStream(`${url}/u0`, { lastEventId: 'all' });
  expect((await ann.received(1))[0]?.event).toBe('server:gap');
});

it('takes as many events as an event needs, to keep recentMaxBytes', () => {
  const sse = new SSEKify({ recentMaxBytes: 10_000, recentTTLMs: 0 });
  for (let user = 0; user < 20; user += 1) sse.sendToUser(`u${user}`, 'x'.repeat(300));
  sse.sendToUser('ann', 'x'.repeat(8000));
  expect(sse.stats().recentBytes).toBeLessThanOrEqual(10_000);
  expect(sse.stats().recentItems).toBeGreaterThan(2);
});

it('empties nobody’s buffer for an event that is larger than recentMaxBytes by itself', async () => {
  const { sse, url } = await serveHub({ hub: { recentMaxBytes: 1000 } });
  sse.sendToUser('ann', 'a1', { id: 'a1', text: true });
  sse.sendToUser('ann', 'a2', { id: 'a2', text: true });
  sse.sendToUser('bob', 'b', { text: true });
  sse.sendToUser('bob', 'x'.repeat(2000), { text: true });
  expect(sse.stats()).toMatchObject({ recentBuffers: 1, recentItems: 2 });
  const ann = await openStream(`${url}/ann`, { lastEventId: 'a1' });
  expect((await ann.received(1))[0]?.data).toBe('a2');
  const bob = await openStream(`${url}/bob`, { lastEventId: 'a1' });
  expect((await bob.received(1))[0]?.event).toBe('server:gap');
  sse.sendToAll('x'.repeat(2000), { text: true });
  const both = await openStream(`${url}/ann`, { lastEventId: 'a1' });
  expect((await both.received(2)).map(({ event, data }) => event ?? data)).toEqual(['server:gap', 'a2']);
});

it('keeps recentBufferSize events per scope', () => {
  const sse = new SSEKify({ recentBufferSize: 4, recentTTLMs: 0 });
  for (let index = 0; index < 10; index += 1) {
    sse.sendToUser('ann', index);
    sse.sendToRoom('r', index);
    sse.sendToAll(index);
  }
  expect(sse.stats().recentItems).toBe(12);
});

it('gives the oldest key of a map that is full all the time without walking over what was deleted', () => {
  const map = new AgingMap<number, number>();
  const started = performance.now();
  for (let index = 0; index < 100_000; index += 1) map.set(index, index);
  for (let index = 1_000_000; index < 1_400_000; index += 1) {
    map.set(index, index);
    const oldest = map.oldest();
    if (oldest !== undefined) map.delete(oldest.key);
  }
  // A walk over 100,000 entries for each would take a minute.
  expect(performance.now() - started).toBeLessThan(10_000);
  expect(map.oldest()?.key).toBe(map.keys().next().value);
  for (let left = map.size; left > 0; left -= 1) map.delete(map.oldest()?.key ?? -1);
  expect(map.oldest()).toBeUndefined();
  map.set(1, 1).set(2, 2);
  expect(map.oldest()).toEqual({ key: 1 });
  map.delete(1);
  map.set(1, 1);
  expect(map.oldest()).toEqual({ key: 2 });
  map.clear();
  expect(map.oldest()).toBeUndefined();
  map.set(3, 3);
  expect(map.oldest()).toEqual({ key: 3 });
});

it('keeps under 40 MB for 100,000 users who get one event each', () => {
  const sse = new SSEKify({ recentTTLMs: 0 });
  const grown = heapGrowth(() => {
    for (let user = 0; user < 100_000; user += 1) sse.sendToUser(`user-${user}`, { hello: 'world', user });
  });
  expect(sse.stats().recentBuffers).toBe(10_000);
  expect(grown).toBeLessThan(40e6);
});

it('does not grow beyond that for 300,000 more', () => {
  const sse = new SSEKify({ recentTTLMs: 0 });
  const grown = heapGrowth(() => {
    for (let user = 0; user < 400_000; user += 1) sse.sendToUser(`user-${user}`, { hello: 'world', user });
  });
  expect(sse.stats().recentBuffers).toBe(10_000);
  expect(grown).toBeLessThan(45e6);
}, 60_000);

it.each([
  ['one for all', () => 'same'],
  ['one for each', (n: number) => `own-${n}`],
])('keeps no more of ids that the caller gives, %s, however many events pass', (_, idOf) => {
  const sse = new SSEKify({ recentBufferSize: 10, recentTTLMs: 0 });
  const send = (from: number, to: number) => {
    for (let n = from; n < to; n += 1) sse.sendToUser('ann', 'x', { id: idOf(n), text: true });
  };
  send(0, 200_000);
  expect(heapGrowth(() => send(200_000, 500_000))).toBeLessThan(3e6);
});

it('knows the latest 10,000 places where no event is', () => {
  const index = new PositionIndex();
  for (let order = 0; order <= 10_000; order += 1) index.mark(`m${order}`, order);
  expect(['m0', 'm1', 'm10000'].map((id) => index.find(id))).toEqual([undefined, 1, 10_000]);
});
