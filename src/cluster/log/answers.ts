import type { Clock, Wakeable } from '../../delivery/clock.js';
import { afterSilence, LAST_MS } from '../../settling.js';

// A little less than the 5 s that are promised, for the clock's slots and the last look.
const ANSWER_MS = 4700;

interface Waiting {
  answer: Promise<unknown>;
  deadline: number;
  fail(error: Error): void;
}

/** Waits for answers, and no longer than is promised. */
export class Answers implements Wakeable {
  wakeSlot: number | undefined;
  readonly #clock: Clock;
  /** In the order of their deadlines. */
  readonly #waiting = new Set<Waiting>();
  #cancelLook: (() => void) | undefined;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** How many are waited for. */
  get size(): number {
    return this.#waiting.size;
  }

  async within<Answer>(answer: Promise<Answer>): Promise<Answer> {
    const deadline = this.#clock.now() + ANSWER_MS;
    let waiting: Waiting | undefined;
    const late = new Promise<never>((_, reject) => {
      waiting = { answer, deadline, fail: reject };
      this.#waiting.add(waiting);
    });
    this.#clock.wakeAt(this, deadline);
    try {
      return await Promise.race([answer, late]);
    } finally {
      if (waiting !== undefined) this.#waiting.delete(waiting);
    }
  }

  /** Resolves when all that is waited for now has come, or failed. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#waiting].map(({ answer }) => answer));
  }

  /** Nobody is waited for any more. */
  end(error: Error): void {
    this.#clock.cancel(this);
    this.#cancelLook?.();
    for (const { fail } of this.#waiting) fail(error);
  }

  wake(now: number): undefined {
    // Those whose time is over only since then have a last part of their own: they may have left just now.
    this.#cancelLook?.();
    this.#cancelLook = afterSilence(LAST_MS, () => this.#expire(now));
  }

  #expire(now: number): void {
    for (const { deadline, fail } of this.#waiting) {
      if (deadline > now) {
        this.#clock.wakeAt(this, deadline);
        return;
      }
      fail(new Error(`no answer in ${ANSWER_MS} ms`));
    }
  }
}
