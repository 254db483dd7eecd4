import { expect, it } from 'vitest';
import { SSEKify } from '../../src/index.js';
import { flushed, MadeUpResponse } from '../helpers/made-up-response.js';
import { endWithTest } from '../helpers/server.js';

const HOSTILE = [
  '__proto__',
  'constructor',
  'hasOwnProperty',
  'toString',
  'ü',
  '日本語',
  '😀',
  '\ud800',
  ' ',
  ' a b ',
  '*',
  'a:b',
  'user:a',
  'room:a',
  'all',
  'everyone',
  'a,b',
  '\n',
  '\0',
  'x'.repeat(10_000),
];

function hub() {
  const sse = new SSEKify();
  endWithTest(sse);
  const connect = (userId: string | number, rooms: (string | number)[] = []) => {
    const response = new MadeUpResponse();
    return { response, handle: sse.registerConnection(userId, response.asResponse(), { rooms }) };
  };
  return { sse, connect };
}

it('is safe for any string as a user and as a room', async () => {
  const { sse, connect } = hub();
  const users = HOSTILE.map((name) => connect(name, [name]));
  expect(sse.stats()).toMatchObject({ connections: HOSTILE.length, users: HOSTILE.length, rooms: HOSTILE.length });
  for (const [index, name] of HOSTILE.entries()) {
    expect(sse.sendToUser(name, `u${index}`)).toBe(1);
    expect(sse.sendToRoom(name, `r${index}`)).toBe(1);
    expect(sse.isUserOnline(name)).toBe(true);
    expect(sse.getUserConnectionIds(name)).toEqual([users[index]?.handle.connId]);
    expect(sse.getRoomConnectionCount(name)).toBe(1);
  }
  await flushed();
  for (const [index, { response }] of users.entries()) {
    expect(response.text.match(/^data: .*/gm)).toEqual([`data: "u${index}"`, `data: "r${index}"`]);
  }
  const counts = sse.getAllUsersConnectionStats();
  expect(Object.getPrototypeOf(counts)).toBeNull();
  expect(Object.keys(counts).sort()).toEqual([...HOSTILE].sort());
  expect(Object.values(counts)).toEqual(HOSTILE.map(() => 1));
  expect(sse.getRooms().sort()).toEqual([...HOSTILE].sort());
  expect(sse.close()).toBe(HOSTILE.length);
  expect(sse.stats()).toMatchObject({ connections: 0, users: 0, rooms: 0 });
  expect(Object.keys(sse.getAllUsersConnectionStats())).toEqual([]);
  expect(({} as Record<string, unknown>).polluted).toBeUndefined();
});

it('never lets a room and a user of one name meet', async () => {
  const { sse, connect } = hub();
  const user = connect('a');
  const member = connect('b', ['a']);
  expect(sse.sendToUser('a', 'user')).toBe(1);
  expect(sse.sendToRoom('a', 'room')).toBe(1);
  await flushed();
  expect(user.response.text).toContain('"user"');
  expect(user.response.text).not.toContain('"room"');
  expect(member.response.text).toContain('"room"');
  expect(member.response.text).not.toContain('"user"');
});

it('takes a number as its decimal text', () => {
  const { sse, connect } = hub();
  connect(42, [7]);
  connect('42', ['7']);
  expect(sse.getUserConnectionCount('42')).toBe(2);
  expect(sse.getUserConnectionCount(42)).toBe(2);
  expect(sse.sendToUser(42, 'x')).toBe(2);
  expect(sse.sendToRoom(7, 'x')).toBe(2);
  expect(sse.stats()).toMatchObject({ users: 1, rooms: 1 });
  expect(sse.close(42)).toBe(2);
});

it('joins and leaves rooms, telling whether that changed anything, and keeps no empty room', () => {
  const { sse, connect } = hub();
  const { handle } = connect('ann', ['a', 'a', 'b', 7, '7']);
  expect(handle.rooms).toEqual(['a', 'b', '7']);
  expect(handle.join('a')).toBe(false);
  expect(handle.join(7)).toBe(false);
  expect(handle.join('c')).toBe(true);
  expect(handle.join('c')).toBe(false);
  expect(sse.getRooms()).toEqual(['a', 'b', '7', 'c']);
  expect(handle.leave('c')).toBe(true);
  expect(handle.leave('c')).toBe(false);
  expect(handle.leave('never')).toBe(false);
  expect(sse.getRooms()).toEqual(['a', 'b', '7']);
  expect(sse.sendToRoom('c', 'x')).toBe(0);
  const other = connect('bob', ['a']);
  expect(handle.leave('a')).toBe(true);
  expect(sse.getRoomConnectionCount('a')).toBe(1);
  other.handle.close();
  expect(sse.getRooms()).toEqual(['b', '7']);
  expect(sse.stats().rooms).toBe(2);
  handle.close();
  expect(sse.getRooms()).toEqual([]);
  expect(handle.rooms).toEqual([]);
});

it('gives a copy of its rooms, which nobody can change from outside', () => {
  const { sse, connect } = hub();
  const { handle } = connect('ann', ['a']);
  const rooms = handle.rooms as string[];
  rooms.push('b');
  expect(handle.rooms).toEqual(['a']);
  expect(sse.getRooms()).toEqual(['a']);
});

it.each([undefined, null, '', Number.NaN, Number.POSITIVE_INFINITY, {}, [], true, Symbol('a'), 1n])(
  'answers for nobody when asked with %s, and refuses to act on it',
  (value) => {
    const { sse, connect } = hub();
    const { handle } = connect('ann');
    const unusable = value as string;
    expect(sse.getUserConnectionCount(unusable)).toBe(0);
    expect(sse.getUserConnectionIds(unusable)).toEqual([]);
    expect(sse.isUserOnline(unusable)).toBe(false);
    expect(sse.getRoomConnectionCount(unusable)).toBe(0);
    const user = expect.objectContaining({ code: 'INVALID_USER_ID' });
    const room = expect.objectContaining({ code: 'INVALID_ROOM' });
    const response = new MadeUpResponse();
    expect(() => sse.registerConnection(unusable, response.asResponse())).toThrow(user);
    expect(() => sse.registerConnection('x', response.asResponse(), { rooms: [unusable] })).toThrow(room);
    expect(response.writes).toEqual([]);
    expect(() => sse.sendToUser(unusable, 'x')).toThrow(user);
    expect(() => sse.sendToRoom(unusable, 'x')).toThrow(room);
    expect(() => sse.close(unusable)).toThrow(user);
    expect(() => sse.clearRecent(unusable)).toThrow(user);
    expect(() => handle.join(unusable)).toThrow(room);
    expect(() => handle.leave(unusable)).toThrow(room);
    expect(sse.stats()).toMatchObject({ connections: 1, users: 1, rooms: 0, sent: 0 });
  },
);
