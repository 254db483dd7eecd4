import type { Clock } from '../../delivery/clock.js';
import { Deadlines } from '../deadlines.js';
import { ANSWER_MS } from '../under-way.js';

interface Waiting {
  answer: Promise<unknown>;
  deadline: number;
  fail(error: Error): void;
}

/** Waits for answers, and no longer than is promised. */
export class Answers {
  readonly #deadlines: Deadlines;
  /** In the order of their deadlines. */
  readonly #waiting = new Set<Waiting>();

  constructor(clock: Clock) {
    this.#deadlines = new Deadlines(clock, (now) => this.#expire(now));
  }

  /** How many are waited for. */
  get size(): number {
    return this.#waiting.size;
  }

  async within<Answer>(answer: Promise<Answer>): Promise<Answer> {
    const deadline = this.#deadlines.in(ANSWER_MS);
    let waiting: Waiting | undefined;
    const late = new Promise<never>((_, reject) => {
      waiting = { answer, deadline, fail: reject };
      this.#waiting.add(waiting);
    });
    this.#deadlines.lookAt(deadline);
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
    this.#deadlines.end();
    for (const { fail } of this.#waiting) fail(error);
  }

  #expire(now: number): void {
    for (const { deadline, fail } of this.#waiting) {
      if (deadline > now) {
        this.#deadlines.lookAt(deadline);
        return;
      }
      fail(new Error(`no answer in ${ANSWER_MS} ms`));
    }
  }
}
