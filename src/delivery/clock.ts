import { AsyncResource } from 'node:async_hooks';
import { nextTick } from '../event-loop.js';
import { MAX_TIMER_MS } from '../wire/fields.js';

/** Something that wants to be woken; the clock keeps its place in the field, and nobody else touches it. */
export interface Wakeable {
  wakeSlot: number | undefined;
  /** @returns when to wake it next, on the clock's time; `undefined` = not again */
  wake(now: number): number | undefined;
}

/** What a wake-up may be late by when its delay is short. */
export const FINEST_SLOT_MS = 10;
const SLOTS_PER_DELAY = 256;
/** How long those that are due together hold the event loop; the others follow in the next turns. */
const SLICE_MS = 4;

/** The width of the slot for a delay: 10 ms, doubled until it is at most 1 % of a long delay; so slots stay few. */
function slotWidth(delayMs: number): number {
  let width = FINEST_SLOT_MS;
  while (width * SLOTS_PER_DELAY < delayMs) width *= 2;
  return width;
}

/** Those due in a slot: they are woken together, when the last of them is due, so that one alone is woken at its time. */
class Slot extends Set<Wakeable> {
  dueAt = Number.NEGATIVE_INFINITY;
}

/**
 * One timer for everything a hub waits for. Wake-ups are gathered in slots, so the number of timers does not grow with
 * connections; one may come up to 10 ms late, or 1 % of its delay. Its time is monotonic: a step of the system clock
 * neither delays a heartbeat nor ends a connection.
 */
export class Clock {
  /** By the slot's end, in ms. */
  readonly #slots = new Map<number, Slot>();
  /** Clears the timer, by the `clearTimeout` that belongs to the `setTimeout` it was set with. */
  #clear: (() => void) | undefined;
  /** The `setTimeout` that was used last: tests put fake timers in its place, and what was set with those is lost with them. */
  #setWith = setTimeout;
  #armedAt = Number.POSITIVE_INFINITY;
  #latest = 0;
  #stopped = false;
  #turning = false;
  readonly #endTurn = () => {
    this.#turning = false;
  };
  /**
   * In the context the hub was made in: that of whoever set the timer belongs to a request, and each turn would hand it on. Only
   * the setting is bound: what a listener enters by `enterWith` would stay with what is bound.
   */
  readonly #setTimer = AsyncResource.bind((at: number, delay: number) => setTimeout(() => this.#fire(at), delay));

  /** Milliseconds on a monotonic scale. */
  now(): number {
    this.#latest = Math.max(this.#latest, performance.now());
    return this.#latest;
  }

  /** The time, as it was when it was first asked for in this turn: for what does it once for each of many. */
  turn(): number {
    if (this.#turning) return this.#latest;
    this.#turning = true;
    nextTick(this.#endTurn);
    return this.now();
  }

  /** Wakes `who` at `at`, or earlier if it is already due earlier. */
  wakeAt(who: Wakeable, at: number): void {
    if (this.#stopped) return;
    if (this.#setWith !== setTimeout && this.#slots.size > 0) this.#arm(this.#armedAt);
    const width = slotWidth(at - this.now());
    const slot = Math.ceil(at / width) * width;
    if (who.wakeSlot !== undefined) {
      if (who.wakeSlot <= slot) return;
      this.cancel(who);
    }
    who.wakeSlot = slot;
    const due = this.#slots.get(slot) ?? new Slot();
    this.#slots.set(slot, due.add(who));
    due.dueAt = Math.max(due.dueAt, at);
    if (due.dueAt < this.#armedAt) this.#arm(due.dueAt);
  }

  cancel(who: Wakeable): void {
    if (who.wakeSlot === undefined) return;
    const due = this.#slots.get(who.wakeSlot);
    due?.delete(who);
    if (due?.size === 0) this.#slots.delete(who.wakeSlot);
    who.wakeSlot = undefined;
    if (this.#slots.size === 0) this.#disarm();
  }

  /** Ends it: nobody is woken any more, and no timer is left. */
  stop(): void {
    this.#stopped = true;
    this.#slots.clear();
    this.#disarm();
  }

  #arm(dueAt: number): void {
    this.#clear?.();
    this.#armedAt = dueAt;
    const now = this.now();
    // A time may lie beyond what a timer can keep.
    const at = Math.min(dueAt, now + MAX_TIMER_MS);
    const delay = Math.min(Math.max(1, Math.ceil(at - now)), MAX_TIMER_MS);
    this.#setWith = setTimeout;
    const clear = clearTimeout;
    const timer = this.#setTimer(at, delay);
    // A hub that only waits for its next heartbeat must not keep the process alive; its sockets do that.
    timer.unref();
    this.#clear = () => clear(timer);
  }

  #disarm(): void {
    this.#clear?.();
    this.#clear = undefined;
    this.#armedAt = Number.POSITIVE_INFINITY;
  }

  #fire(at: number): void {
    this.#disarm();
    // Node may fire a timer a millisecond early; what it was armed for is due all the same.
    this.#latest = Math.max(this.#latest, at);
    const now = this.now();
    const deadline = performance.now() + SLICE_MS;
    for (const each of [...this.#slots.keys()].sort((a, b) => a - b)) {
      // Looked at only now: a wake-up may have put one in that is due later, or taken the last one out.
      const slot = this.#slots.get(each);
      if (slot === undefined || slot.dueAt > now) continue;
      this.#slots.delete(each);
      for (const who of slot) {
        if (performance.now() > deadline && !this.#stopped) {
          const putOff = this.#slots.get(each) ?? new Slot();
          for (const other of putOff) slot.add(other);
          slot.dueAt = Math.max(slot.dueAt, putOff.dueAt);
          this.#slots.set(each, slot);
          break;
        }
        slot.delete(who);
        // A wake-up may have cancelled one that shares its slot, or put it off within that.
        if (who.wakeSlot !== each || this.#slots.get(each)?.has(who)) continue;
        who.wakeSlot = undefined;
        const next = who.wake(now);
        if (next !== undefined) this.wakeAt(who, next);
      }
    }
    let earliest = Number.POSITIVE_INFINITY;
    for (const { dueAt } of this.#slots.values()) earliest = Math.min(earliest, dueAt);
    if (earliest < this.#armedAt) this.#arm(earliest);
  }
}
