import fc from 'fast-check';
import { afterEach, expect, it, vi } from 'vitest';
import { Clock, FINEST_SLOT_MS, type Wakeable } from '../../src/delivery/clock.js';
import { MAX_TIMER_MS } from '../../src/wire/fields.js';
import { turn } from '../helpers/stall.js';

const SLEEPERS = 5;

/** What is asked of the clock: from outside, or by one that is being woken. */
interface Order {
  what: 'wake' | 'cancel' | 'put off';
  who: number;
  delayMs: number;
}
type Step = { order: Order; reply?: { holdsMs: number; order: Order } } | { waitMs: number };

const who = fc.nat({ max: SLEEPERS - 1 });
// Few lengths, so that those who wait share slots; fractions, for the clock has them; one longer than a timer can be.
const ms = fc.constantFrom(0, 0.5, 1, 3.5, 5, 8, 40, 2800, 3e9);
const what = fc.constantFrom<Order['what'][]>('wake', 'wake', 'cancel', 'put off');
const order: fc.Arbitrary<Order> = fc.record({ what, who, delayMs: ms });
const holdsMs = fc.constantFrom(0, 1, 5);
const steps: fc.Arbitrary<Step[]> = fc.array(
  fc.oneof(
    { weight: 3, arbitrary: fc.record({ order, reply: fc.record({ holdsMs, order }) }, { requiredKeys: ['order'] }) },
    fc.record({ waitMs: ms }),
  ),
  { maxLength: 40 },
);

afterEach(() => vi.unstubAllGlobals());

/** A time that passes only when it is told to, with the clock that goes by it and those who wait for it to come. */
class World {
  now = 1000.1;
  /** For how long those that were woken held everything. */
  heldMs = 0;
  readonly timers = new Map<object, { at: number; run: () => void }>();
  readonly clock: Clock;
  readonly sleepers = Array.from({ length: SLEEPERS }, () => new Sleeper(this));

  constructor() {
    vi.stubGlobal('performance', { now: () => this.now });
    vi.stubGlobal('setTimeout', (run: () => void, delay: number) => {
      expect(delay === Math.trunc(delay) && delay >= 1 && delay <= MAX_TIMER_MS).toBe(true);
      const timer = { unref: () => this.timers.set(timer, { at: this.now + delay, run }) };
      return timer;
    });
    vi.stubGlobal('clearTimeout', (timer: object) => this.timers.delete(timer));
    this.clock = new Clock();
  }

  wait(waitMs: number): void {
    const until = this.now + waitMs;
    for (;;) {
      const [timer, due] = [...this.timers][0] ?? [];
      if (timer === undefined || due === undefined || due.at > until) break;
      this.timers.delete(timer);
      this.now = Math.max(this.now, due.at);
      due.run();
    }
    this.now = Math.max(this.now, until);
  }

  obey(order: Order): void {
    const sleeper = this.sleepers[order.who];
    if (order.what !== 'wake') sleeper?.cancel();
    if (order.what !== 'cancel') sleeper?.sleep(order.delayMs);
  }
}

/** Waits to be woken, and knows when that has to be. */
class Sleeper implements Wakeable {
  wakeSlot: number | undefined;
  earliest = Number.POSITIVE_INFINITY;
  /** Not counting the time for which others held everything. */
  latest = Number.POSITIVE_INFINITY;
  reply: { holdsMs: number; order: Order } | undefined;
  readonly #world: World;

  constructor(world: World) {
    this.#world = world;
  }

  sleep(delayMs: number): void {
    const at = this.#world.clock.now() + delayMs;
    this.earliest = Math.min(this.earliest, at);
    this.latest = Math.min(this.latest, at - this.#world.heldMs + Math.max(FINEST_SLOT_MS, delayMs / 100) + 1);
    this.#world.clock.wakeAt(this, at);
  }

  cancel(): void {
    this.#world.clock.cancel(this);
    this.earliest = this.latest = Number.POSITIVE_INFINITY;
  }

  wake(now: number): undefined {
    expect(Math.min(now, this.#world.now)).toBeGreaterThanOrEqual(this.earliest);
    expect(this.#world.now - this.#world.heldMs).toBeLessThanOrEqual(this.latest);
    this.earliest = this.latest = Number.POSITIVE_INFINITY;
    const { reply } = this;
    this.reply = undefined;
    if (reply === undefined) return;
    this.#world.now += reply.holdsMs;
    this.#world.heldMs += reply.holdsMs;
    this.#world.obey(reply.order);
  }
}

it('wakes each in time, by one timer at most, whatever is asked for, put off and taken back', () => {
  const run = (list: Step[]) => {
    const world = new World();
    const { clock, sleepers, timers } = world;
    for (const step of list) {
      if ('waitMs' in step) world.wait(step.waitMs);
      else {
        const sleeper = sleepers[step.order.who];
        if (sleeper !== undefined) sleeper.reply = step.reply;
        world.obey(step.order);
      }
      const waiting = sleepers.filter(({ earliest }) => earliest !== Number.POSITIVE_INFINITY);
      for (const { latest } of waiting) expect(world.now - world.heldMs).toBeLessThanOrEqual(latest);
      if (waiting.length > 0) expect(timers.size).toBe(1);
      // One that was put off to the next turn, and cancelled since, still has its timer.
      else expect(timers.size).toBeLessThanOrEqual(world.heldMs > 0 ? 1 : 0);
    }
    clock.stop();
    for (const sleeper of sleepers) clock.wakeAt(sleeper, clock.now() + 10);
    expect(timers.size).toBe(0);
  };
  fc.assert(fc.property(steps, run), { numRuns: 1000 });
});

it('tells one time all through a turn of the event loop, and the next in the next', async () => {
  const clock = new Clock();
  const time = clock.turn();
  while (performance.now() <= time);
  expect(clock.turn()).toBe(time);
  await turn();
  expect(clock.turn()).toBeGreaterThan(time);
});
