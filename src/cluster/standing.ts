import type { Clock, Wakeable } from '../delivery/clock.js';
import type { SSEKifyError } from '../errors.js';
import type { BusStats } from './bus-stats.js';
import type { RedisLike } from './redis-like.js';
import { Waiters } from './waiters.js';

/** What a channel's standing has to work with, and whom it tells. */
export interface StandingParts {
  adapter: RedisLike;
  channel: string;
  clock: Clock;
  /** The subscription stands, for the first time or again. */
  up(): void;
  down(): void;
  /** It could not subscribe, and will try again. */
  failed(cause: unknown): void;
}

const AGAIN_MS = 1000;

/** Whether the subscription to a channel stands; subscribes until it does. */
export class Standing implements Wakeable {
  wakeSlot: number | undefined;

  readonly #parts: StandingParts;
  #state: Exclude<BusStats['state'], 'none'> = 'connecting';
  #closed = false;
  readonly #waiters = new Waiters();

  constructor(parts: StandingParts) {
    this.#parts = parts;
    parts.adapter.onState?.(this.listener);
  }

  get state() {
    return this.#state;
  }

  /** What the adapter tells of its connection. */
  readonly listener = (state: unknown, channel: unknown): void => {
    if (channel !== undefined && channel !== this.#parts.channel) return;
    if (state === 'up') this.#rise();
    else if (state === 'down') this.#fall();
  };

  /** Resolves when it stands. */
  ready(): Promise<void> {
    if (this.#state === 'up') return Promise.resolve();
    return this.#waiters.add();
  }

  async subscribe(): Promise<void> {
    const { clock, failed } = this.#parts;
    try {
      await this.#ask();
      this.#rise();
    } catch (cause) {
      if (this.#closed) return;
      failed(cause);
      clock.wakeAt(this, clock.now() + AGAIN_MS);
    }
  }

  wake(): undefined {
    void this.subscribe();
  }

  /** Nobody need wait any more. */
  close(error: SSEKifyError): void {
    this.#closed = true;
    this.#parts.clock.cancel(this);
    this.#waiters.reject(error);
  }

  /** What is thrown at once rejects: who makes a hub cannot listen to it before it is made. */
  async #ask(): Promise<void> {
    await this.#parts.adapter.subscribe(this.#parts.channel);
  }

  #rise(): void {
    if (this.#closed || this.#state === 'up') return;
    this.#state = 'up';
    this.#parts.up();
    this.#waiters.resolve();
  }

  #fall(): void {
    if (this.#closed || this.#state !== 'up') return;
    this.#state = 'down';
    this.#parts.down();
  }
}
