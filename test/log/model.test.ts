import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Scope } from '../../src/delivery/scope.js';
import { formatStreamId, parseStreamId, type StreamId } from '../../src/wire/stream-id.js';
import type { Item } from '../helpers/manual-delivery.js';
import { isLater, nameOf, type Session, World } from './model-world.js';

const USERS = ['ann', 'bob'];
const ROOMS = ['r', 's'];

/** A position that is not of this log, beyond it. */
const NOWHERE = '5000-0';
/** No entry of this log has such an id. */
const STRANGE_SEQ = 9;

const who = fc.nat({ max: 2 });
const user = fc.constantFrom(...USERS);
const room = fc.constantFrom(...ROOMS);
const scope: fc.Arbitrary<Scope> = fc.oneof(
  fc.constant({ kind: 'all' as const }),
  fc.record({ kind: fc.constant('user' as const), name: user }),
  fc.record({ kind: fc.constant('room' as const), name: room }),
);

const step = fc.oneof(
  { weight: 10, arbitrary: fc.record({ do: fc.constant('append' as const), scope }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constant('tail' as const), count: fc.integer({ min: 1, max: 6 }) }) },
  { weight: 8, arbitrary: fc.record({ do: fc.constantFrom('flush' as const, 'execute' as const) }) },
  { weight: 6, arbitrary: fc.record({ do: fc.constant('answer' as const), well: fc.boolean() }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('tick' as const, 'ended' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constantFrom('wipe' as const, 'settle' as const) }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('trim' as const), count: fc.integer({ min: 1, max: 8 }) }) },
  {
    weight: 5,
    arbitrary: fc.record({ do: fc.constantFrom('stall' as const, 'stall' as const, 'drain' as const), who }),
  },
  {
    weight: 6,
    arbitrary: fc.record({
      do: fc.constant('connect' as const),
      who,
      rooms: fc.subarray(ROOMS),
      // Of the entries there have been: which one is the position; beyond them, or none at all.
      at: fc.oneof(fc.constant('again' as const), fc.constant('fresh' as const), fc.nat({ max: 40 })),
      strange: fc.oneof({ weight: 9, arbitrary: fc.constant(false) }, { weight: 1, arbitrary: fc.constant(true) }),
      disconnect: fc.boolean(),
    }),
  },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('join' as const), who, room, replay: fc.boolean() }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('leave' as const), who, room }) },
  { weight: 2, arbitrary: fc.record({ do: fc.constant('send' as const), user }) },
);

type Step = typeof step extends fc.Arbitrary<infer Value> ? Value : never;

/** Clients with numbers; each has one connection at a time. */
class Clients {
  readonly world: World;
  readonly #now = new Map<number, Session>();

  constructor(world: World) {
    this.world = world;
  }

  connect({ who, rooms, at, strange, disconnect }: Extract<Step, { do: 'connect' }>): void {
    const before = this.#now.get(who);
    before?.connection.closed('client');
    const userId = USERS[who % USERS.length] ?? 'ann';
    const of = typeof at === 'number' ? (this.world.all[at]?.id ?? parseStreamId(NOWHERE)) : undefined;
    const id = of !== undefined && strange ? { ...of, seq: STRANGE_SEQ } : of;
    const again = at === 'again' ? (before?.sink.lastId ?? '') : '';
    this.#now.set(who, this.world.connect(userId, rooms, id === undefined ? again : formatStreamId(id), disconnect));
  }

  async take(each: Step): Promise<void> {
    const { world } = this;
    if (each.do === 'append') world.append(each.scope);
    else if (each.do === 'tail') world.tail(each.count);
    else if (each.do === 'answer') await world.answer(each.well);
    else if (each.do === 'trim') world.trim(each.count);
    else if (each.do === 'connect') this.connect(each);
    else if (each.do === 'send') world.send(each.user);
    else if (!('who' in each)) await world[each.do]();
    else this.#take(each);
  }

  #take(each: Extract<Step, { do: 'stall' | 'drain' | 'join' | 'leave' }>): void {
    const session = this.#now.get(each.who);
    if (session?.connection.open !== true) return;
    if (each.do === 'stall') session.sink.takes = false;
    else if (each.do === 'leave') this.world.leave(session, each.room);
    else if (each.do === 'join') session.joinedWithReplay = this.world.join(session, each.room, each.replay);
    else this.world.drain(session);
  }
}

const isPlaced = (item: Item): item is Extract<Item, { of: StreamId }> => item.kind !== 'gap' && item.hasId;

/** Whether a client that did not get an event was told of a gap just there. */
function isTold({ sink: { items } }: Session, missing: StreamId): boolean {
  let told = false;
  for (const item of items) {
    if (item.kind === 'gap') told ||= item.reason !== 'dropped';
    else if (isPlaced(item)) {
      if (!isLater(missing, item.of)) return told;
      told = false;
    }
  }
  return told;
}

function check(world: World, session: Session): void {
  const { sink, owed, connection, joinedWithReplay } = session;
  const events = sink.items.filter((item) => item.kind === 'event');
  const names = events.map(({ of }) => formatStreamId(of));
  expect(new Set(names).size, 'nothing twice').toBe(names.length);
  const places = sink.items.filter(isPlaced).map(({ of }) => of);
  const inOrder = places.every((each, index) => index === 0 || !isLater(places[index - 1] ?? each, each));
  expect(inOrder, 'in order').toBe(true);
  // A client that left got what it got, and comes back for the rest.
  const end = connection.open ? world.end : (places.at(-1) ?? { ms: 0, seq: 0 });
  const seen = new Set(names);
  for (const entry of world.all) {
    if (entry.kind !== 'event' || isLater(entry.id, end) || seen.has(formatStreamId(entry.id))) continue;
    const from = owed.get(nameOf(entry.scope));
    if (from === undefined || !isLater(entry.id, from)) continue;
    // What it joined with was behind its position: a client that left before it was written will not ask for it.
    if (!connection.open && joinedWithReplay && entry.scope.kind === 'room') continue;
    const told =
      joinedWithReplay && entry.scope.kind === 'room'
        ? sink.items.some((item) => item.kind === 'gap' && item.reason !== 'dropped')
        : isTold(session, entry.id);
    expect(told, `${formatStreamId(entry.id)} for ${nameOf(entry.scope)}, or a gap`).toBe(true);
  }
  if (connection.open) expect(sink.lastId, 'at the end').toBe(formatStreamId(world.end));
  const gaps = sink.items.filter((item) => item.kind === 'gap');
  const marks = world.all.filter(({ kind }) => kind === 'mark').length;
  expect(gaps.filter(({ reason }) => reason === 'reset').length).toBeLessThan(marks);
  for (const { reason, lastEventId } of gaps) {
    const at = parseStreamId(lastEventId) ?? { ms: 0, seq: 0 };
    // The log does not tell whether there was anything between a position and its first entry.
    const first = world.log[0]?.id ?? at;
    const judged = reason === 'evicted' && !joinedWithReplay && lastEventId !== NOWHERE;
    if (judged) expect(isLater(first, at), 'gap for a loss only').toBe(true);
    const isStrange = lastEventId === NOWHERE || at.seq === STRANGE_SEQ;
    if (reason === 'unknown') expect(isStrange || isLater(first, at), 'gap for a stranger only').toBe(true);
  }
  if (connection.open && session.position?.seq === STRANGE_SEQ) expect(gaps, 'gap for a stranger').not.toEqual([]);
}

it('loses, repeats and reorders nothing, and tells a gap where, and only where, something is lost: 10,000 interleavings', async () => {
  await fc.assert(
    fc.asyncProperty(
      fc.array(step, { maxLength: 50, size: 'max' }),
      fc.integer({ min: 0, max: 8 }),
      fc.constantFrom(20, 1000),
      fc.array(scope, { maxLength: 8 }),
      async (steps, ringEvents, windowMs, history) => {
        const clients = new Clients(new World(ringEvents, windowMs, history));
        for (const each of steps) await clients.take(each);
        await clients.world.settle();
        for (const session of clients.world.sessions) check(clients.world, session);
      },
    ),
    { numRuns: 10_000, seed: 4711 },
  );
}, 120_000);

it('tells of no gap in rooms that are joined and left while all is in memory, and has all of them: 5,000 interleavings', async () => {
  const anywhere = fc.oneof(fc.constantFrom('again' as const, 'fresh' as const), fc.nat({ max: 40 }));
  const come = fc.record({
    do: fc.constant('connect' as const),
    who,
    rooms: fc.subarray(ROOMS),
    at: anywhere,
    strange: fc.constant(false),
    disconnect: fc.constant(false),
  });
  const other = step.filter((each) => !['connect', 'wipe', 'trim', 'send'].includes(each.do));
  const steps = fc.array(
    fc.oneof(
      { weight: 5, arbitrary: other },
      { weight: 2, arbitrary: fc.constant({ do: 'settle' as const }) },
      { weight: 3, arbitrary: fc.record({ do: fc.constant('join' as const), who, room, replay: fc.boolean() }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constant('leave' as const), who, room }) },
      { weight: 1, arbitrary: come },
    ),
    { maxLength: 60, size: 'max' },
  );
  await fc.assert(
    fc.asyncProperty(
      fc.array(scope, { maxLength: 8 }),
      fc.array(come, { maxLength: 3 }),
      steps,
      async (history, first, then) => {
        const clients = new Clients(new World(1000, 1_000_000, history));
        const { all, sessions } = clients.world;
        for (const each of [...first, ...then]) {
          const known = each.do === 'connect' && typeof each.at === 'number';
          await clients.take(known ? { ...each, at: Number(each.at) % all.length } : each);
        }
        await clients.world.settle();
        for (const session of sessions) {
          check(clients.world, session);
          expect(session.sink.items.filter(({ kind }) => kind === 'gap')).toEqual([]);
        }
      },
    ),
    { numRuns: 5000, seed: 4711 },
  );
}, 120_000);
