import { expect, it } from 'vitest';
import { SSEKify, type SSEKifyOptions } from '../../src/index.js';
import { openStream } from '../helpers/client.js';
import { collect, next } from '../helpers/emitted.js';
import { MadeUpResponse } from '../helpers/made-up-response.js';
import { endWithTest, serveHub } from '../helpers/server.js';

function hub(options: SSEKifyOptions = {}) {
  const sse = new SSEKify({ keepAliveMs: 0, ...options });
  endWithTest(sse);
  const events: string[] = [];
  sse.on('room-created', ({ room }) => events.push(`+${room}`));
  sse.on('room-removed', ({ room }) => events.push(`-${room}`));
  const connect = (rooms: string[], userId = 'ann') => {
    const response = new MadeUpResponse();
    return sse.registerConnection(userId, response.asResponse(), { rooms });
  };
  return { sse, events, connect };
}

it('tells when a room gets its first connection and when it loses its last', () => {
  const { sse, events, connect } = hub();
  const first = connect(['a', 'b', 'a']);
  const second = connect(['a'], 'bob');
  expect(events).toEqual(['+a', '+b']);
  first.leave('a');
  first.join('c');
  first.join('c');
  expect(events).toEqual(['+a', '+b', '+c']);
  second.leave('a');
  expect(events.slice(3)).toEqual(['-a']);
  first.close();
  expect(events.slice(4).sort()).toEqual(['-b', '-c']);
  expect(sse.getRooms()).toEqual([]);
});

it('lets listeners leave and join rooms', () => {
  const { sse, events, connect } = hub();
  sse.on('room-created', ({ room }) => {
    if (room === 'lobby') handle.join('annex');
  });
  const handle = connect([]);
  handle.join('lobby');
  expect(events).toEqual(['+lobby', '+annex']);
  expect(handle.rooms).toEqual(['lobby', 'annex']);
});

it('tells that a room began before it tells that it ended, once each, whatever listeners do', () => {
  const { sse, events, connect } = hub({ roomOptions: { emptyTimeoutMs: 0 } });
  const bob = connect([], 'bob');
  const joinsToo = () => bob.join('r');
  sse.on('disconnect', joinsToo);
  connect(['r']).close();
  expect(events).toEqual(['+r']);
  sse.off('disconnect', joinsToo);
  bob.leave('r');
  expect(events).toEqual(['+r', '-r']);
  sse.once('connect', ({ handle }) => handle.close());
  expect(connect(['r']).closed).toBe(true);
  sse.once('connect', ({ handle }) => handle.leave('r'));
  connect(['r']);
  sse.once('room-created', () => sse.close());
  connect(['r', 's']);
  const told = events.slice(2);
  for (const room of ['r', 's']) {
    const own = told.filter((event) => event.endsWith(room));
    expect(own).toEqual(own.map((_, index) => (index % 2 === 0 ? `+${room}` : `-${room}`)));
    expect(own.length % 2).toBe(0);
  }
  expect(sse.getRooms()).toEqual([]);
});

it('tells every listener that a room began before it tells that it ended', () => {
  const { sse, connect } = hub();
  let ends = true;
  sse.on('room-created', ({ room }) => {
    for (const handle of [ann, bob]) handle.leave(room);
    if (!ends) bob.join(room);
  });
  const told: string[] = [];
  sse.on('room-created', ({ room }) => told.push(`+${room}`));
  sse.on('room-removed', ({ room }) => told.push(`-${room}`));
  const ann = connect([]);
  const bob = connect([], 'bob');
  ann.join('r');
  expect(told.splice(0)).toEqual(['+r', '-r']);
  ends = false;
  ann.join('r');
  expect(told).toEqual(['+r']);
  expect(sse.getRooms()).toEqual(['r']);
  bob.leave('r');
  expect(told).toEqual(['+r', '-r']);
});

it('keeps no room whose only connection a listener of connect ended', async () => {
  const { sse, connect, events } = hub({ roomOptions: { emptyTimeoutMs: 1 } });
  connect(['r']).close();
  sse.once('connect', ({ handle }) => handle.close());
  connect(['r']);
  expect(await next(sse, 'room-removed')).toEqual({ room: 'r' });
  expect(events).toEqual(['+r', '-r']);
});

it('keeps an empty room for its time, and removes it with its history', async () => {
  const { sse, url } = await serveHub({ hub: { roomOptions: { emptyTimeoutMs: 2000 } }, register: { rooms: ['r'] } });
  const created = collect(sse, 'room-created');
  const removed = collect(sse, 'room-removed');
  const member = await openStream(`${url}/ann`);
  sse.sendToRoom('r', 'one');
  await member.received(1);
  const { lastEventId } = member;
  member.close();
  await next(sse, 'disconnect');
  sse.sendToRoom('r', 'two');
  const back = await openStream(`${url}/ann`, { lastEventId });
  expect((await back.received(1)).map(({ data }) => data)).toEqual(['"two"']);
  expect(created).toHaveLength(1);
  expect(removed).toEqual([]);
  back.close();
  expect(await next(sse, 'room-removed')).toEqual({ room: 'r' });
  const later = await openStream(`${url}/ann`, { lastEventId });
  expect(JSON.parse((await later.event('server:gap')).data)).toEqual({ lastEventId, reason: 'evicted' });
  expect(created).toHaveLength(2);
});

it('removes a room at once, with its history, when its time is 0', async () => {
  const { sse, url } = await serveHub({ hub: { roomOptions: { emptyTimeoutMs: 0 } }, register: { rooms: ['r'] } });
  const member = await openStream(`${url}/ann`);
  sse.sendToRoom('r', 'one');
  await member.received(1);
  const removed = next(sse, 'room-removed');
  member.close();
  await removed;
  expect(sse.stats().recentItems).toBe(0);
});

it('gives a newcomer with a position what the room said since', async () => {
  const { sse, url } = await serveHub({ register: { rooms: ['r'] } });
  const member = await openStream(`${url}/ann`);
  for (const text of ['one', 'two', 'three']) sse.sendToRoom('r', text);
  const [first] = await member.received(3);
  const newcomer = await openStream(`${url}/newcomer`, { lastEventId: first?.id ?? '' });
  expect((await newcomer.received(2)).map(({ data }) => data)).toEqual(['"two"', '"three"']);
});

it('keeps as many events of a room as was said for it', () => {
  const { sse } = hub({
    recentBufferSize: 5,
    roomOptions: (room) => (room === 'big' ? { historySize: 50 } : room === 'none' ? { historySize: 0 } : undefined),
  });
  const kept = (room: string) => {
    sse.clearRecent();
    for (let sent = 0; sent < 60; sent += 1) sse.sendToRoom(room, sent);
    return sse.stats().recentItems;
  };
  expect([kept('big'), kept('none'), kept('other')]).toEqual([50, 0, 5]);
});

it('reports a function that fails or gives nonsense, and goes on', async () => {
  const { sse, events, connect } = hub({
    roomOptions: (room) => {
      if (room === 'throws') throw new TypeError('not today');
      return { historySize: -1 };
    },
  });
  const errors = collect(sse, 'error');
  const handle = connect(['throws', 'nonsense']);
  expect(sse.sendToRoom('throws', 1)).toBe(1);
  expect(sse.sendToRoom('nonsense', 1)).toBe(1);
  handle.close();
  expect(events.slice(2).sort()).toEqual(['-nonsense', '-throws']);
  await Promise.resolve();
  expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(['INVALID_OPTION']));
  expect(errors.map(({ message }) => message).join()).toMatch(
    /roomOptions.*not today.*roomOptions\("nonsense"\)\.historySize is -1/,
  );
});

it('lets no event that tells of a failed function overtake the one it failed for', async () => {
  const { sse, url, handle } = await serveHub({
    hub: {
      roomOptions: () => {
        throw new TypeError('not today');
      },
    },
    register: { rooms: ['r'] },
  });
  sse.on('error', ({ code }) => sse.sendToAll(code, { text: true }));
  const client = await openStream(`${url}/ann`);
  await handle(0);
  sse.sendToRoom('r', 'first', { text: true });
  await client.received(2);
  expect(client.events.map(({ data }) => data)).toEqual(['first', 'INVALID_OPTION']);
});

it('reports a function that gives a promise, whose room is kept as others are', async () => {
  const { sse, connect } = hub({ roomOptions: (() => Promise.reject(new Error('mine'))) as never });
  const errors = collect(sse, 'error');
  connect(['r']);
  expect(sse.sendToRoom('r', 1)).toBe(1);
  await Promise.resolve();
  expect(errors[0]).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringMatching(/roomOptions.*promise/) });
});

it.each([{ historySize: -1 }, { emptyTimeoutMs: 1.5 }, { emptyTimeoutMs: 2 ** 31 }, { size: 3 }, 7])(
  'refuses the room options %j',
  (roomOptions) => {
    expect(() => new SSEKify({ roomOptions: roomOptions as never })).toThrow(/options\.roomOptions/);
  },
);
