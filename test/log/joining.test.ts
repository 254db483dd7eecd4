import { expect, it, vi } from 'vitest';
import type { Scope } from '../../src/delivery/scope.js';
import { Frame } from '../../src/wire/frame.js';
import { formatStreamId } from '../../src/wire/stream-id.js';
import { range } from '../helpers/log.js';
import { type Session, World } from './model-world.js';

const PIECE = 500;
const EVERYONE = { kind: 'all' } as const;
const room = (name: string) => ({ kind: 'room', name }) as const;

/** An instance that has read a log: what everyone was told first, then what rooms said in turn; and a client that was told the first. */
async function worldOf(count: number, rooms: readonly string[], ringEvents = 10_000) {
  const world = new World(ringEvents, 1_000_000, []);
  world.append(EVERYONE);
  const position = world.end;
  for (const n of range(0, count)) world.append(room(rooms[n % rooms.length] ?? ''));
  await world.settle();
  const ann = world.connect('ann', [], formatStreamId(position), false);
  await world.settle();
  ann.sink.items.length = 0;
  return { world, ann, position };
}

/** A client is in a room for so long that memory begins within its stay, and leaves; then the room says one thing more. */
function stayLong(world: World, ann: Session): void {
  for (const _ of range(0, 1000)) {
    world.append(room('r'));
    world.tail(1);
    world.flush();
  }
  world.leave(ann, 'r');
  world.append(room('r'));
  world.tail(1);
}

const placesOf = ({ sink }: Session) => sink.items.map((item) => (item.kind === 'gap' ? item.reason : item.of.ms));
/** The same without gaps and cursors. */
const eventsOf = ({ sink }: Session) => sink.items.flatMap((item) => (item.kind === 'event' ? [item.of.ms] : []));
/** What rooms said, by its place: the log begins with a mark and an event for everyone. */
const said = (from: number, to: number, step = 1) => range(from, to).flatMap((n) => (n % step === 0 ? [n + 4] : []));

it('resends a room that is joined with its history in pieces, one at a time to a client that is slow', async () => {
  const { world, ann } = await worldOf(3000, ['r']);
  const copies = vi.spyOn(Frame.prototype, 'withoutId');
  ann.sink.takes = false;
  world.join(ann, 'r', true);
  for (let turn = 0; turn < 10; turn += 1) world.flush();
  expect(copies.mock.calls.length).toBeLessThanOrEqual(PIECE);
  world.append(room('r'));
  world.append(EVERYONE);
  world.tail(10);
  for (let before = copies.mock.calls.length; ann.sink.items.length < 3002; before = copies.mock.calls.length) {
    world.drain(ann);
    expect(world.flush()).toBe(true);
    expect(copies.mock.calls.length - before).toBeLessThanOrEqual(PIECE);
  }
  expect(placesOf(ann)).toEqual(said(0, 3002));
  expect(ann.sink.items.map((item) => item.kind === 'event' && item.hasId)).toEqual(
    range(0, 3002).map((n) => n >= 3000),
  );
  expect(world.counters.replayed).toBe(3002);
});

it('resends several rooms in the order of the log, and tells the client where it stands only behind them', async () => {
  const { world, ann } = await worldOf(2400, ['r', 's']);
  world.join(ann, 'r', true);
  world.flush();
  world.join(ann, 's', true);
  world.tick();
  await world.settle();
  const read = placesOf(ann).slice(0, -1).map(Number);
  const alone = read.findIndex((ms) => ms % 2 === 1);
  expect(alone).toBeGreaterThan(0);
  expect(read.slice(0, alone)).toEqual(said(0, 2 * alone, 2));
  // The other room is read up to where the first one is, and then both at once.
  expect(read.slice(alone)).toEqual(said(0, 2400).filter((ms) => ms % 2 === 1 || ms > 2 * alone + 2));
  expect(ann.sink.items.filter((item) => item.kind !== 'gap' && item.hasId)).toEqual([
    { kind: 'cursor', of: world.end, hasId: true },
  ]);
});

it('repeats nothing of a room that was read further than another that is joined then', async () => {
  const { world, ann } = await worldOf(3000, ['r', 's', 's']);
  world.join(ann, 'r', true);
  world.flush();
  world.join(ann, 's', true);
  await world.settle();
  expect(eventsOf(ann).sort((a, b) => a - b)).toEqual(said(0, 3000));
});

it('resends a room that is joined by a client that was left behind, and then what it has yet to read', async () => {
  const { world, ann } = await worldOf(1200, ['r']);
  ann.sink.takes = false;
  for (const count of [1, 20]) {
    for (const _ of range(0, count)) world.append(EVERYONE);
    world.tail(count);
    world.flush();
  }
  expect(ann.connection.lagging).toBe(true);
  world.append(room('r'));
  world.tail(1);
  world.join(ann, 'r', true);
  await world.settle();
  const ids = ann.sink.items.filter((item) => item.kind !== 'gap' && item.hasId);
  expect(ids.map((item) => item.kind === 'event' && item.of.ms)).toEqual(said(1200, 1222));
  expect(placesOf(ann).filter((ms) => Number(ms) < 1204)).toEqual(said(0, 1200));
});

it('stops when the room is left, and goes on from there when it is joined again', async () => {
  const { world, ann } = await worldOf(3000, ['r']);
  world.join(ann, 'r', true);
  world.flush();
  world.flush();
  world.leave(ann, 'r');
  await world.settle();
  const before = ann.sink.items.filter(({ kind }) => kind === 'event').length;
  expect(before).toBeGreaterThan(0);
  expect(before).toBeLessThanOrEqual(2 * PIECE);
  world.append(room('r'));
  await world.settle();
  world.join(ann, 'r', true);
  await world.settle();
  const events = ann.sink.items.filter(({ kind }) => kind === 'event');
  expect(events.map((item) => item.kind !== 'gap' && item.of.ms)).toEqual(said(0, 3001));
});

it('gives a client that is closed all of the rooms that it joined before', async () => {
  const { world, ann } = await worldOf(3000, ['r']);
  world.join(ann, 'r', true);
  world.flush();
  world.append(EVERYONE);
  world.tail(1);
  ann.connection.close('server');
  await world.settle();
  expect(placesOf(ann)).toEqual(said(0, 3000));
  expect(ann.sink.ended).toBe(true);
});

it('tells of one gap where memory lost what a slow client has yet to get of a room', async () => {
  const { world, ann } = await worldOf(3000, ['r'], 3200);
  ann.sink.takes = false;
  world.join(ann, 'r', true);
  for (let turn = 0; turn < 5; turn += 1) world.flush();
  const got = ann.sink.items.length;
  for (const _ of range(0, 2000)) world.append(room('other'));
  world.tail(2000);
  await world.settle();
  const places = placesOf(ann);
  expect(places.filter((each) => each === 'evicted')).toHaveLength(1);
  const at = places.indexOf('evicted');
  expect(at).toBeGreaterThanOrEqual(got);
  const behind = places.slice(at + 1, -1);
  expect(behind).toEqual(said(3000 - behind.length, 3000));
  expect(behind.length).toBeGreaterThan(PIECE);
});

it('tells of what memory loses of a room that is joined again, where it had only what was lost before', async () => {
  const { world, ann } = await worldOf(100, ['r'], 3200);
  world.join(ann, 'r', true);
  await world.settle();
  world.leave(ann, 'r');
  for (const _ of range(0, 2000)) world.append(room('r'));
  for (const _ of range(0, 1150)) world.append(room('other'));
  world.tail(3150);
  await world.settle();
  ann.sink.items.length = 0;
  ann.sink.takes = false;
  world.join(ann, 'r', true);
  for (let turn = 0; turn < 5; turn += 1) world.flush();
  expect(ann.sink.items.filter(({ kind }) => kind === 'gap')).toEqual([]);
  for (const _ of range(0, 1500)) world.append(room('other'));
  world.tail(1500);
  await world.settle();
  expect(placesOf(ann).filter((each) => each === 'evicted')).toHaveLength(1);
  expect(ann.sink.items.filter(({ kind }) => kind === 'event').length).toBeLessThan(2000);
});

it('resends to a client that leaves none of what a room said since its last id: it comes back for that', async () => {
  const { world, ann } = await worldOf(2, ['r']);
  for (const _ of range(0, 2)) world.append(room('r'));
  world.tail(2);
  world.join(ann, 'r', true);
  ann.connection.close('server');
  await world.settle();
  expect(placesOf(ann)).toEqual(said(0, 2));
  const again = world.connect('ann', ['r'], ann.sink.lastId, false);
  await world.settle();
  expect(placesOf(again)).toEqual(said(2, 4));
});

it('repeats nothing of rooms that were joined to a client that is cut off meanwhile', async () => {
  const { world, ann } = await worldOf(0, []);
  for (const n of range(0, 3000)) world.append(room(n % 2 === 0 ? 'r' : 's'));
  world.tail(3000);
  ann.sink.takes = false;
  world.join(ann, 'r', true);
  world.join(ann, 's', true);
  for (let turn = 0; turn < 3; turn += 1) {
    world.flush();
    world.drain(ann);
  }
  ann.connection.destroy();
  const got = placesOf(ann);
  expect(got.length).toBeGreaterThan(0);
  expect(got.length).toBeLessThan(3000);
  const again = world.connect('ann', ['r', 's'], ann.sink.lastId, false);
  await world.settle();
  expect([...got, ...placesOf(again)].slice(0, 3000)).toEqual(said(0, 3000));
});

it('gives ids to what rooms said since the last that the client has, and to nothing before it', async () => {
  const { world, ann } = await worldOf(4, ['r', 's']);
  for (const n of range(0, 4)) world.append(room(n % 2 === 0 ? 'r' : 's'));
  world.tail(4);
  world.join(ann, 'r', true);
  world.join(ann, 's', true);
  await world.settle();
  expect(placesOf(ann)).toEqual(said(0, 8));
  expect(ann.sink.items.map((item) => item.kind === 'event' && item.hasId)).toEqual(range(0, 8).map((n) => n >= 4));
});

it('repeats nothing of a room that was left and joined again, when what was read of it from Redis reached into memory', async () => {
  const { world, position } = await worldOf(100, ['r'], 50);
  for (const pages of range(1, 30)) {
    const bob = world.connect('bob', ['r'], formatStreamId(position), false);
    for (const _ of range(1, pages)) {
      while (world.flush());
      await world.answer(true);
    }
    // The last page is written, and its client has yet to take it.
    bob.sink.takes = false;
    while (world.flush());
    await world.answer(true);
    world.leave(bob, 'r');
    await world.settle();
    world.join(bob, 'r', true);
    await world.settle();
    const events = eventsOf(bob);
    expect(new Set(events).size).toBe(events.length);
    expect(bob.sink.items.some(({ kind }) => kind === 'gap')).toBe(events.length < 100);
    bob.connection.close('server');
    await world.settle();
  }
});

it('resends what a room said before the instance saw the log, to a client that was in it meanwhile without its history', async () => {
  const world = new World(300, 1_000_000, [EVERYONE, ...Array.from({ length: 5 }, () => room('r'))]);
  const [, first] = world.all;
  const ann = world.connect('ann', [], formatStreamId(first?.id ?? world.end), false);
  world.join(ann, 'r', false);
  world.append(room('r'));
  await world.settle();
  expect(placesOf(ann)).toEqual([9]);
  world.leave(ann, 'r');
  world.append(room('r'));
  await world.settle();
  ann.sink.items.length = 0;
  world.join(ann, 'r', true);
  await world.settle();
  expect(placesOf(ann)).toEqual([4, 5, 6, 7, 8, 10]);
});

it('tells of no gap in a room that a client got all of, when it was in another before its place was known', async () => {
  const world = new World(300, 1_000_000, [EVERYONE]);
  const ann = world.connect('ann', [], formatStreamId(world.end), false);
  world.join(ann, 's', false);
  await world.settle();
  world.join(ann, 'r', true);
  stayLong(world, ann);
  ann.sink.items.length = 0;
  world.join(ann, 'r', true);
  await world.settle();
  expect(placesOf(ann)).toEqual([1004]);
});

it('tells of what memory lost of one room that is joined, whatever is there of another', async () => {
  const { world, ann } = await worldOf(200, ['r', 's'], 3200);
  world.join(ann, 'r', true);
  await world.settle();
  world.leave(ann, 'r');
  for (const _ of range(0, 10)) world.append(room('r'));
  await world.settle();
  ann.sink.items.length = 0;
  world.join(ann, 's', true);
  world.join(ann, 'r', true);
  for (const _ of range(0, 3100)) world.append(room('other'));
  world.tail(3100);
  await world.settle();
  const [gap, ...places] = placesOf(ann);
  expect(gap).toBe('evicted');
  const ofBoth = said(0, 210).filter((ms) => ms % 2 === 1 || ms >= 204);
  expect(places.slice(0, -1)).toEqual(ofBoth.filter((ms) => ms >= Number(places[0])));
  expect(Number(places[0])).toBeGreaterThan(5);
  expect(Number(places[0])).toBeLessThan(204);
});

it('tells of a loss only once there is one: not while memory begins right where a room is read on', async () => {
  const world = new World(3200, 1_000_000, []);
  const { ring } = world.feed;
  const add = (scope: Scope, count: number) => {
    for (const _ of range(0, count)) world.append(scope);
    world.tail(count);
  };
  add(room('other'), 1100);
  add(EVERYONE, 1);
  const position = world.end;
  add(room('r'), 1500);
  await world.settle();
  const ann = world.connect('ann', [], formatStreamId(position), false);
  await world.settle();
  ann.sink.items.length = 0;
  const place = ring.placeOf(position);
  world.join(ann, 'r', true);
  ann.sink.takes = false;
  // By now all events are of one size, so that each puts one out.
  while (ring.begin < place) add(room('other'), 1);
  expect(ring.begin).toBe(place);
  for (let turn = 0; turn < 3; turn += 1) world.flush();
  expect(placesOf(ann)).toEqual(said(1100, 1100 + PIECE));
  add(room('other'), 2 * PIECE);
  await world.settle();
  const places = placesOf(ann);
  expect(places.filter((each) => each === 'evicted')).toHaveLength(1);
  expect(places[PIECE]).toBe('evicted');
});

it('gives all of a room that was joined, left and joined with its history before the instance saw the log', async () => {
  const world = new World(300, 1_000_000, [EVERYONE, room('r')]);
  const ann = world.connect('ann', [], formatStreamId(world.all[1]?.id ?? world.end), false);
  world.join(ann, 'r', false);
  world.leave(ann, 'r');
  world.join(ann, 'r', true);
  await world.settle();
  expect(eventsOf(ann)).toEqual([4]);
});

it('keeps what a user is sent from what a room of that name says', async () => {
  const world = new World(300, 1_000_000, [EVERYONE, room('ann'), { kind: 'user', name: 'ann' }]);
  const ann = world.connect('ann', [], formatStreamId(world.all[1]?.id ?? world.end), false);
  world.join(ann, 'ann', false);
  await world.settle();
  expect(eventsOf(ann)).toEqual([5]);
});

it('knows where a room counts from that was joined before the instance saw the log, also once it has followed anew', async () => {
  const world = new World(300, 1_000_000, [EVERYONE]);
  const ann = world.connect('ann', [], formatStreamId(world.end), false);
  world.join(ann, 'r', false);
  await world.settle();
  stayLong(world, ann);
  world.feed.caughtUp();
  ann.sink.items.length = 0;
  world.join(ann, 'r', true);
  await world.settle();
  expect(placesOf(ann)).toEqual([1004]);
});

it('tells of a loss where a room is joined with its history by a client that has read on from Redis', async () => {
  const world = new World(3, 1_000_000, []);
  world.append(EVERYONE);
  const position = world.end;
  for (const n of range(0, 30)) world.append(n % 2 === 0 ? room('r') : EVERYONE);
  world.tail(100);
  const ann = world.connect('ann', [], formatStreamId(position), false);
  // It was written a piece, and reads the next.
  while (world.flush());
  await world.answer(true);
  while (world.flush());
  const got = eventsOf(ann);
  expect(got.length).toBeGreaterThan(0);
  expect(got.length).toBeLessThan(15);
  world.join(ann, 'r', true);
  await world.settle();
  const [gap] = ann.sink.items.filter(({ kind }) => kind === 'gap');
  expect(gap).toMatchObject({ kind: 'gap', reason: 'evicted' });
  expect(placesOf(ann)[got.length]).toBe('evicted');
  expect(eventsOf(ann).slice(got.length)).toEqual(range(Number(got.at(-1)) + 1, Number(world.end.ms) + 1));
});
