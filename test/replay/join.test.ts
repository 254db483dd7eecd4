import { expect, it } from 'vitest';
import { openStream, type StreamClient } from '../helpers/client.js';
import { collect } from '../helpers/emitted.js';
import { MemoryBus } from '../helpers/memory-bus.js';
import { serveHub } from '../helpers/server.js';

const seen = (client: StreamClient) => client.events.map(({ id, data }) => [id, data]);

it('resends a room from the position the connection registered with, without ids behind the cursor', async () => {
  const { sse, url, handle } = await serveHub();
  sse.sendToRoom('r', 'before', { id: '0', text: true });
  sse.sendToUser('ann', 'p', { id: 'p', text: true });
  sse.sendToRoom('r', 'r1', { id: '1', text: true });
  sse.sendToUser('ann', 'own', { id: '2', text: true });
  sse.sendToRoom('r', 'r3', { id: '3', text: true });
  const client = await openStream(`${url}/ann`, { lastEventId: 'p' });
  const ann = await handle(0);
  expect(ann.join('r', { replay: true })).toBe(true);
  expect(ann.join('r', { replay: true })).toBe(false);
  sse.sendToRoom('r', 'live', { id: '4', text: true });
  await client.received(4);
  expect(seen(client)).toEqual([
    ['2', 'own'],
    [undefined, 'r1'],
    ['3', 'r3'],
    ['4', 'live'],
  ]);
});

it.each([0, 8])('leaves a client at the newest of automatic ids when it joins a room, %i events on', async (count) => {
  const { sse, url, handle } = await serveHub();
  const first = await openStream(`${url}/ann`);
  await handle(0);
  sse.sendToUser('ann', 'seen');
  await first.received(1);
  for (let event = 0; event < count; event += 1) sse.sendToRoom('r', event);
  for (let event = 0; event < count; event += 1) sse.sendToUser('ann', event);
  sse.sendToRoom('r', 'of the room');
  sse.sendToUser('ann', 'newest');
  await first.received(count + 2);
  const client = await openStream(`${url}/ann`, { lastEventId: first.events[0]?.id ?? '' });
  (await handle(1)).join('r', { replay: true });
  await client.received(2 * (count + 1));
  expect(client.lastEventId).toBe(first.lastEventId);
});

it('resends nothing without a position, and nothing without being asked', async () => {
  const { sse, url, handle } = await serveHub();
  sse.sendToAll('p', { id: 'p', text: true });
  sse.sendToRoom('r', 'before', { text: true });
  const none = await openStream(`${url}/ann`);
  expect((await handle(0)).join('r', { replay: true })).toBe(true);
  const unasked = await openStream(`${url}/bob`, { lastEventId: 'p' });
  expect((await handle(1)).join('r')).toBe(true);
  sse.sendToRoom('r', 'live', { id: 'l', text: true });
  await Promise.all([none.received(1), unasked.received(1)]);
  expect([seen(none), seen(unasked)]).toEqual([[['l', 'live']], [['l', 'live']]]);
});

it('resends after leaving and coming back only what was not given before', async () => {
  const { sse, url, handle } = await serveHub();
  sse.sendToAll('p', { id: 'p', text: true });
  sse.sendToRoom('r', '1', { id: '1', text: true });
  const client = await openStream(`${url}/ann?rooms=r`, { lastEventId: 'p' });
  const ann = await handle(0);
  sse.sendToRoom('r', '2', { id: '2', text: true });
  expect(ann.leave('r')).toBe(true);
  sse.sendToRoom('r', '3', { id: '3', text: true });
  sse.sendToAll('4', { id: '4', text: true });
  expect(ann.join('r', { replay: true })).toBe(true);
  sse.sendToRoom('r', '5', { id: '5', text: true });
  await client.received(5);
  expect(seen(client)).toEqual([
    ['1', '1'],
    ['2', '2'],
    ['4', '4'],
    [undefined, '3'],
    ['5', '5'],
  ]);
});

it('resends what was said before the connection was put in the room from elsewhere', async () => {
  const { sse, url, handle } = await serveHub();
  sse.sendToAll('p', { id: 'p', text: true });
  sse.sendToRoom('r', '1', { id: '1', text: true });
  const client = await openStream(`${url}/ann`, { lastEventId: 'p' });
  const ann = await handle(0);
  await sse.publishJoin('ann', 'r');
  sse.sendToRoom('r', '2', { id: '2', text: true });
  await sse.publishLeave('ann', 'r');
  sse.sendToRoom('r', '3', { id: '3', text: true });
  ann.join('r', { replay: true });
  ann.send('end', { text: true });
  await client.until(({ events }) => events.at(-1)?.data === 'end');
  expect(seen(client)).toEqual([
    ['2', '2'],
    [undefined, '1'],
    ['3', '3'],
    [undefined, 'end'],
  ]);
});

it('resends what a room said before the connection came, in however many rooms it has been since', async () => {
  const { sse, url, handle } = await serveHub();
  sse.sendToAll('p', { id: 'p', text: true });
  sse.sendToRoom('r', '1', { id: '1', text: true });
  const client = await openStream(`${url}/ann`, { lastEventId: 'p' });
  const ann = await handle(0);
  ann.join('r');
  for (let room = 0; room < 1000; room += 1) ann.join(room);
  ann.leave('r');
  ann.join('r', { replay: true });
  ann.send('end', { text: true });
  await client.until(({ events }) => events.at(-1)?.data === 'end');
  expect(seen(client)).toEqual([
    ['1', '1'],
    [undefined, 'end'],
  ]);
});

it('signals what the room has lost since the position', async () => {
  const { sse, url, handle } = await serveHub({ hub: { recentBufferSize: 2 } });
  sse.sendToUser('ann', 'p', { id: 'p', text: true });
  for (const id of ['1', '2', '3']) sse.sendToRoom('r', id, { id, text: true });
  const client = await openStream(`${url}/ann`, { lastEventId: 'p' });
  (await handle(0)).join('r', { replay: true });
  await client.received(3);
  expect(client.events[0]).toEqual({
    id: undefined,
    event: 'server:gap',
    data: JSON.stringify({ lastEventId: 'p', reason: 'evicted' }),
  });
  expect(seen(client).slice(1)).toEqual([
    ['2', '2'],
    ['3', '3'],
  ]);
});

it('signals no loss of what it got, or was told of, when it comes back to a room', async () => {
  const { sse, url, handle } = await serveHub({ hub: { recentBufferSize: 2 } });
  const gaps = collect(sse, 'gap');
  sse.sendToUser('ann', 'p', { id: 'p', text: true });
  const client = await openStream(`${url}/ann?rooms=r`, { lastEventId: 'p' });
  const ann = await handle(0);
  const say = (...ids: string[]) => {
    for (const id of ids) sse.sendToRoom('r', id, { id, text: true });
  };
  const comeBack = () => {
    ann.leave('r');
    ann.join('r', { replay: true });
  };
  say('1', '2', '3', '4');
  comeBack();
  sse.clearRecent();
  comeBack();
  expect(gaps).toEqual([]);
  ann.leave('r');
  say('5', '6', '7');
  ann.join('r', { replay: true });
  expect(gaps).toMatchObject([{ reason: 'evicted' }]);
  say('8', '9', '10');
  comeBack();
  expect(gaps).toHaveLength(1);
  ann.send('end', { text: true });
  await client.until(({ events }) => events.at(-1)?.data === 'end');
  expect(client.events.filter(({ event }) => event === undefined).map(({ data }) => data)).toEqual([
    ...['1', '2', '3', '4'],
    ...['6', '7', '8', '9', '10', 'end'],
  ]);
});

it('signals what a room may have said in an outage of the channel, though the connection was in it', async () => {
  const adapter = new MemoryBus().adapter();
  const { sse, url, handle } = await serveHub({ hub: { redis: adapter } });
  const gaps = collect(sse, 'gap');
  await sse.ready();
  await sse.publishToUser('ann', 'p', { id: 'p', text: true });
  await openStream(`${url}/ann?rooms=r`, { lastEventId: 'p' });
  const ann = await handle(0);
  adapter.tell('down');
  adapter.tell('up');
  await sse.ready();
  await sse.publishToRoom('r', 'later', { text: true });
  ann.leave('r');
  ann.join('r', { replay: true });
  expect(gaps).toMatchObject([{ lastEventId: 'p', reason: 'evicted' }]);
});

it('refuses options it does not know', async () => {
  const { url, handle } = await serveHub();
  await openStream(`${url}/ann`);
  const ann = await handle(0);
  expect(() => ann.join('r', { replya: true } as object)).toThrow(expect.objectContaining({ code: 'INVALID_OPTION' }));
  expect(() => ann.join('r', { replay: 1 } as object)).toThrow(/options\.replay.*1.*true or false/);
  expect(ann.rooms).toEqual([]);
});
