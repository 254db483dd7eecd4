import { AgingMap } from '../aging-map.js';

const MAX_KEYS = 100_000;
const RELEASED_MS = 60_000;
/** Counters that expire at once: very many may be due at the same time. */
const EXPIRED_AT_ONCE = 100;

/** One counter per key, in memory: the least recently used go over 100,000, a released one 60 s after its release. */
export class LocalCounters {
  readonly #startAt: number;
  readonly #now: () => number;
  /** Key to next number, least recently used first. */
  readonly #next = new AgingMap<string, number>();
  /** Released key to the time it expires, in that order. */
  readonly #released = new AgingMap<string, number>();

  constructor(startAt: number, now: () => number) {
    this.#startAt = startAt;
    this.#now = now;
  }

  get size(): number {
    return this.#next.size;
  }

  /** The number that is next under the key. */
  next(key: string): number {
    this.#expire(key);
    return this.#next.get(key) ?? this.#startAt;
  }

  /** Takes a number; the counter goes on after it, and never back. */
  take(key: string, seq: number, final: boolean): void {
    this.#expire(key);
    const known = this.#next.get(key);
    // Most keys are new, and none is to be deleted that is not there.
    if (known !== undefined) this.#next.delete(key);
    this.#next.set(key, Math.max(known ?? this.#startAt, seq + 1));
    if (this.#released.size > 0) this.#released.delete(key);
    if (final) this.#released.set(key, this.#now() + RELEASED_MS);
    const oldest = this.#next.size > MAX_KEYS ? this.#next.oldest() : undefined;
    if (oldest !== undefined) this.#forget(oldest.key);
  }

  #expire(asked: string): void {
    if (this.#isOver(asked)) this.#forget(asked);
    for (let expired = 0; expired < EXPIRED_AT_ONCE; expired += 1) {
      const first = this.#released.oldest();
      if (first === undefined || !this.#isOver(first.key)) return;
      this.#forget(first.key);
    }
  }

  #isOver(key: string): boolean {
    return (this.#released.get(key) ?? Number.POSITIVE_INFINITY) <= this.#now();
  }

  #forget(key: string): void {
    this.#next.delete(key);
    this.#released.delete(key);
  }
}
