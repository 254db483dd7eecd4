import { expect, it } from 'vitest';
import { openStream, type StreamClient } from '../helpers/client.js';
import { collect } from '../helpers/emitted.js';
import { MemoryBus } from '../helpers/memory-bus.js';
import { serveHub } from '../helpers/server.js';

const events = (client: StreamClient) => client.events.map(({ id, event, data }) => ({ id, event, data }));
const gap = (lastEventId: string, reason: string, event = 'server:gap') => ({
  id: undefined,
  event,
  data: JSON.stringify({ lastEventId, reason }),
});
const plain = (id: string) => ({ id, event: undefined, data: id });

it('signals an unknown position first, without an id, and then resends what is still there', async () => {
  const { sse, url, handle } = await serveHub();
  const gaps = collect(sse, 'gap');
  for (const id of ['1', '2']) sse.sendToUser('ann', id, { id, text: true });
  sse.sendToAll('3', { id: '3', text: true });
  const client = await openStream(`${url}/ann`, { lastEventId: 'é?' });
  const { connId } = await handle(0);
  await client.received(4);
  expect(events(client)).toEqual([gap('é?', 'unknown'), plain('1'), plain('2'), plain('3')]);
  expect(gaps).toEqual([{ userId: 'ann', connId, lastEventId: 'é?', reason: 'unknown' }]);
  expect(sse.stats().gaps).toEqual({ unknown: 1, evicted: 0, dropped: 0, reset: 0 });
  const again = await openStream(`${url}/ann`, { lastEventId: client.lastEventId });
  (await handle(1)).send('end', { text: true });
  await again.received(1);
  expect(again.events[0]?.data).toBe('end');
});

it('signals evicted events, and then resends what is left after the position', async () => {
  const { sse, url } = await serveHub({ hub: { recentBufferSize: 3 } });
  const gaps = collect(sse, 'gap');
  sse.sendToAll('here', { id: 'here', text: true });
  for (const id of ['1', '2', '3', '4']) sse.sendToUser('ann', id, { id, text: true });
  const client = await openStream(`${url}/ann`, { lastEventId: 'here' });
  await client.received(4);
  expect(events(client)).toEqual([gap('here', 'evicted'), plain('2'), plain('3'), plain('4')]);
  expect(gaps).toMatchObject([{ reason: 'evicted' }]);
  expect(sse.stats().gaps.evicted).toBe(1);
});

it('signals no gap to a client that has the newest event lost', async () => {
  const { sse, url } = await serveHub({ hub: { recentBufferSize: 3 } });
  for (const id of ['1', '2', '3', '4']) sse.sendToUser('ann', id, { id, text: true });
  const client = await openStream(`${url}/ann`, { lastEventId: '1' });
  await client.received(3);
  expect(events(client)).toEqual([plain('2'), plain('3'), plain('4')]);
  expect(sse.stats().gaps).toMatchObject({ unknown: 0, evicted: 0 });
});

it('signals what a room or everyone lost, and not what another scope did', async () => {
  const { sse, url, handle } = await serveHub({ hub: { recentBufferSize: 2 } });
  const overflow = (send: (id: string) => void, name: string) => {
    for (let index = 0; index < 3; index += 1) send(`${name}${index}`);
  };
  sse.sendToUser('ann', 'p', { id: 'p', text: true });
  overflow((id) => sse.sendToRoom('other', id, { id, text: true }), 'other');
  overflow((id) => sse.sendToUser('bob', id, { id, text: true }), 'bob');
  const calm = await openStream(`${url}/ann?rooms=r`, { lastEventId: 'p' });
  (await handle(0)).send('end', { text: true });
  await calm.received(1);
  expect(calm.events[0]?.data).toBe('end');
  overflow((id) => sse.sendToRoom('r', id, { id, text: true }), 'r');
  const room = await openStream(`${url}/ann?rooms=r`, { lastEventId: 'p' });
  await room.received(3);
  expect(events(room)).toEqual([gap('p', 'evicted'), plain('r1'), plain('r2')]);
  overflow((id) => sse.sendToAll(id, { id, text: true }), 'all');
  const all = await openStream(`${url}/ann`, { lastEventId: 'p' });
  await all.received(3);
  expect(events(all)).toEqual([gap('p', 'evicted'), plain('all1'), plain('all2')]);
});

it('gives a cursor where nothing is left, so that the next reconnect signals no gap', async () => {
  const { sse, url, handle } = await serveHub();
  const first = await openStream(`${url}/ann`, { lastEventId: 'from another life' });
  const [signal, cursor] = await first.received(2);
  expect(signal).toEqual(gap('from another life', 'unknown'));
  expect(cursor).toMatchObject({ event: 'server:cursor', data: '' });
  expect(cursor?.id).toMatch(/^[\w.-]{1,128}$/);
  first.close();
  sse.sendToUser('bob', 'not for ann');
  sse.sendToUser('ann', 'missed', { id: 'm', text: true });
  const second = await openStream(`${url}/ann`, { lastEventId: first.lastEventId });
  await second.received(1);
  expect(events(second)).toEqual([{ ...plain('m'), data: 'missed' }]);
  sse.clearRecent();
  const third = await openStream(`${url}/ann`, { lastEventId: first.lastEventId });
  await third.received(2);
  expect(third.events.map((event) => event.event)).toEqual(['server:gap', 'server:cursor']);
  const fourth = await openStream(`${url}/ann`, { lastEventId: third.lastEventId });
  (await handle(3)).send('end', { text: true });
  await fourth.received(1);
  expect(fourth.events[0]?.data).toBe('end');
  expect(sse.stats().gaps).toMatchObject({ unknown: 1, evicted: 1 });
});

it('signals a gap to whoever comes back while events of other instances are missing, wherever it was', async () => {
  const adapter = new MemoryBus().adapter();
  const { sse, url } = await serveHub({ hub: { redis: adapter } });
  await sse.ready();
  const ann = await openStream(`${url}/ann`);
  adapter.tell('down');
  sse.sendToUser('ann', 'from here');
  await ann.received(1);
  const again = await openStream(`${url}/ann`, { lastEventId: ann.lastEventId });
  await again.received(1);
  expect(events(again)[0]).toEqual(gap(ann.lastEventId, 'evicted'));
});

it('signals what may be missing to a client that was here before anything was sent', async () => {
  const adapter = new MemoryBus().adapter();
  const { sse, url } = await serveHub({ hub: { redis: adapter } });
  await sse.ready();
  const ann = await openStream(`${url}/ann`, { lastEventId: 'nowhere' });
  await ann.received(2);
  adapter.tell('down');
  adapter.tell('up');
  const again = await openStream(`${url}/ann`, { lastEventId: ann.lastEventId });
  await again.received(1);
  expect(events(again)[0]).toEqual(gap(ann.lastEventId, 'evicted'));
});

it('calls the gap event as gapEvent says', async () => {
  const { url } = await serveHub({ hub: { gapEvent: 'lost' } });
  const client = await openStream(`${url}/ann`, { lastEventId: 'x' });
  await client.received(2);
  expect(events(client)[0]).toEqual(gap('x', 'unknown', 'lost'));
});

it('sends no gap event when gapEvent is false, but emits and counts it', async () => {
  const { sse, url } = await serveHub({ hub: { gapEvent: false } });
  const gaps = collect(sse, 'gap');
  sse.sendToUser('ann', '1', { id: '1', text: true });
  const client = await openStream(`${url}/ann`, { lastEventId: 'x' });
  await client.received(1);
  expect(events(client)).toEqual([plain('1')]);
  expect(gaps).toMatchObject([{ lastEventId: 'x', reason: 'unknown' }]);
  expect(sse.stats().gaps.unknown).toBe(1);
});

it('clears one user, or everything, and tells clients from before', async () => {
  const { sse, url, handle } = await serveHub();
  sse.sendToAll('p', { id: 'p', text: true });
  sse.sendToUser('ann', 'a', { id: 'a', text: true });
  sse.sendToUser('bob', 'b', { id: 'b', text: true });
  sse.clearRecent('ann');
  const ann = await openStream(`${url}/ann`, { lastEventId: 'p' });
  await ann.received(2);
  expect(ann.events.map(({ event }) => event)).toEqual(['server:gap', 'server:cursor']);
  const bob = await openStream(`${url}/bob`, { lastEventId: 'p' });
  await bob.received(1);
  expect(events(bob)).toEqual([plain('b')]);
  const last = await openStream(`${url}/ann`, { lastEventId: 'a' });
  (await handle(2)).send('end', { text: true });
  await last.received(1);
  expect(last.events[0]?.data).toBe('end');
  sse.clearRecent();
  expect(sse.stats()).toMatchObject({ recentBuffers: 0, recentItems: 0, recentBytes: 0 });
  const late = await openStream(`${url}/bob`, { lastEventId: 'p' });
  await late.received(2);
  expect(late.events[0]).toEqual(gap('p', 'evicted'));
});

it('refuses to clear for an undefined given by mistake', async () => {
  const { sse } = await serveHub();
  const user: string | undefined = undefined;
  expect(() => sse.clearRecent(user as unknown as string)).toThrow(
    expect.objectContaining({ code: 'INVALID_USER_ID' }),
  );
  expect(() => sse.clearRecent('')).toThrow(expect.objectContaining({ code: 'INVALID_USER_ID' }));
});

it('keeps nothing with recentBufferSize 0, and says so when something was missed', async () => {
  const { sse, url, handle } = await serveHub({ hub: { recentBufferSize: 0 } });
  sse.sendToUser('ann', '1', { id: '1', text: true });
  sse.sendToAll('2', { id: '2', text: true });
  expect(sse.stats()).toMatchObject({ recentBuffers: 0, recentItems: 0, recentBytes: 0 });
  const upToDate = await openStream(`${url}/ann`, { lastEventId: '2' });
  (await handle(0)).send('end', { text: true });
  await upToDate.received(1);
  expect(upToDate.events[0]?.data).toBe('end');
  const late = await openStream(`${url}/ann`, { lastEventId: '1' });
  await late.received(2);
  expect(late.events.map(({ event }) => event)).toEqual(['server:gap', 'server:cursor']);
});

it.each(['mine', '1700000000000-elsewhere0-7'])(
  'does not take the id %s for known because one connection alone was sent it',
  async (id) => {
    const { sse, url, handle } = await serveHub({ hub: { redis: new MemoryBus().adapter() } });
    await sse.ready();
    await sse.publishToUser('ann', 'missed', { id: 'missed', text: true });
    await openStream(`${url}/bob`);
    (await handle(0)).send('state', { id });
    const ann = await openStream(`${url}/ann`, { lastEventId: id });
    (await handle(1)).send('end', { event: 'end', text: true });
    await ann.event('end');
    expect(events(ann).slice(0, -1)).toEqual([gap(id, 'unknown'), { id: 'missed', event: undefined, data: 'missed' }]);
  },
);
