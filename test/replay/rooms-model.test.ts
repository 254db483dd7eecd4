import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Connection } from '../../src/delivery/connection.js';
import { RecentHistory } from '../../src/delivery/recent-history.js';
import type { Scope } from '../../src/delivery/scope.js';
import { Counters } from '../../src/stats.js';
import { encodeEvent, encodeRetry } from '../../src/wire/frame.js';
import { ManualDelivery, QUIET, quietParts, ReadingSink } from '../helpers/manual-delivery.js';

const ROOMS = ['r', 's'];
const NOWHERE = '5000-0';
const ROOMY = { maxQueueItems: 1000, maxQueueBytes: 1_000_000, dropPolicy: 'oldest' as const };

const room = fc.constantFrom(...ROOMS);
const scope: fc.Arbitrary<Scope> = fc.oneof(
  { weight: 1, arbitrary: fc.constantFrom<Scope>({ kind: 'all' }, { kind: 'user', name: 'ann' }) },
  { weight: 3, arbitrary: room.map((name) => ({ kind: 'room' as const, name })) },
);
const step = fc.oneof(
  { weight: 8, arbitrary: fc.record({ do: fc.constant('send' as const), scope }) },
  { weight: 5, arbitrary: fc.record({ do: fc.constant('join' as const), room, replay: fc.boolean() }) },
  { weight: 4, arbitrary: fc.record({ do: fc.constant('leave' as const), room }) },
  { weight: 1, arbitrary: fc.record({ do: fc.constant('clear' as const), scope }) },
);

/** One client of a hub that keeps some events, and all that was ever sent. */
class Visit {
  readonly sink: ReadingSink;
  readonly #delivery: ManualDelivery;
  readonly #connection: Connection;
  readonly #sent: { id: string; scope: Scope; order: number }[] = [];
  /** Places of what it was told that it has lost. */
  readonly #told = new Set<number>();
  /** Rooms of which it may have heard only since it came to them. */
  readonly #partly = new Set<string>();
  readonly #position: number | undefined;

  constructor(recentBufferSize: number, recentMaxUsers: number, before: readonly Scope[], rooms: string[], at: number) {
    const counters = new Counters();
    let ids = Number.parseInt(NOWHERE, 10);
    this.#delivery = new ManualDelivery({
      ...quietParts(counters),
      cursorMs: undefined,
      history: (delivery) =>
        new RecentHistory({
          settings: {
            roomOptions: () => ({ historySize: undefined, emptyTimeoutMs: undefined }),
            recentBufferSize,
            recentMaxUsers,
            recentTTLMs: 0,
            recentMaxBytes: 1_000_000,
          },
          delivery,
          counters,
          instanceId: 'test',
          known: undefined,
          positionId: () => {
            ids += 1;
            return `${ids}-0`;
          },
          restore: () => expect.unreachable('frames are kept'),
        }),
    });
    for (const each of before) this.send(each);
    const lastEventId = at === 0 ? undefined : (this.#sent[at - 1]?.id ?? NOWHERE);
    this.sink = new ReadingSink('');
    this.#connection = new Connection(this.#delivery, 1, 'ann', { ...QUIET, ...ROOMY }, lastEventId);
    this.#connection.start(this.sink, encodeRetry(0));
    this.#delivery.enter(this.#connection, lastEventId, rooms)();
    this.flush();
    const gap = this.sink.items.find((item) => item.kind === 'gap');
    const unknown = gap?.kind === 'gap' && gap.reason === 'unknown';
    if (lastEventId === NOWHERE) expect(unknown).toBe(true);
    if (lastEventId !== undefined) this.#position = unknown ? 0 : at;
    this.#judge(({ kind, name = '' }) => kind !== 'room' || rooms.includes(name), gap !== undefined, !unknown);
  }

  send(to: Scope): void {
    const order = this.#delivery.nextOrder();
    const id = `${order}-0`;
    this.#sent.push({ id, scope: to, order });
    this.#delivery.deliver(to, encodeEvent({ id, text: id }, order));
  }

  flush(): void {
    while (this.#delivery.flusher.flush());
  }

  clear(of: Scope): void {
    this.#delivery.history.clear(of);
  }

  leave(name: string): void {
    this.#delivery.leave(this.#connection, name);
  }

  join(name: string, replay: boolean): void {
    this.flush();
    const before = this.sink.items.length;
    if (!this.#delivery.join(this.#connection, name, undefined, replay)) return;
    this.flush();
    const came = this.sink.items.slice(before);
    if (!replay) this.#partly.add(name);
    if (!replay || this.#position === undefined) {
      expect(came).toEqual([]);
      return;
    }
    const places = came.flatMap((item) => (item.kind === 'event' ? [item.of.ms] : []));
    expect(places).toEqual([...places].sort((a, b) => a - b));
    const told = came.some(({ kind }) => kind === 'gap');
    this.#judge((of) => of.kind === 'room' && of.name === name, told, !this.#partly.has(name));
  }

  get places(): number[] {
    return this.sink.items.flatMap((item) => (item.kind === 'event' ? [item.of.ms] : []));
  }

  /** It has what it is owed of some scopes, or was just told that it lacks that. @param exactly - not if it lacks nothing */
  #judge(owed: (scope: Scope) => boolean, told: boolean, exactly: boolean): void {
    const got = new Set(this.places);
    const position = this.#position ?? Number.POSITIVE_INFINITY;
    const lacks = this.#sent.filter(({ scope: of, order }) => owed(of) && order > position && !got.has(order));
    const untold = lacks.filter(({ order }) => !this.#told.has(order));
    if (!told) expect(untold, 'lost in silence').toEqual([]);
    else if (exactly) expect(untold.length, 'a gap for nothing').toBeGreaterThan(0);
    for (const { order } of lacks) this.#told.add(order);
  }
}

it('gives a client that joins and leaves rooms all that it asks for once, in order, or a gap: 4,000 interleavings', () => {
  fc.assert(
    fc.property(
      fc.array(scope, { maxLength: 10 }),
      fc.subarray(ROOMS),
      fc.nat({ max: 11 }),
      fc.array(step, { maxLength: 30, size: 'max' }),
      fc.nat({ max: 6 }),
      fc.constantFrom(1, 2, 10),
      (before, rooms, at, steps, size, users) => {
        const visit = new Visit(size, users, before, rooms, at);
        for (const each of steps) {
          if (each.do === 'join') visit.join(each.room, each.replay);
          else if (each.do === 'leave') visit.leave(each.room);
          else visit[each.do](each.scope);
        }
        visit.flush();
        expect(new Set(visit.places).size, 'nothing twice').toBe(visit.places.length);
      },
    ),
    { numRuns: 4000, seed: 73 },
  );
}, 60_000);
