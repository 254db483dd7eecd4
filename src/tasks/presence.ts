import type { Wakeable } from '../delivery/clock.js';
import type { Work } from './work.js';

const NEVER = Number.POSITIVE_INFINITY;

/** The tasks of one user, which end when the user has been away for too long. */
export class Presence implements Wakeable {
  wakeSlot: number | undefined;
  readonly tasks = new Set<Work>();

  /** The user has left. @returns when to wake it first */
  left(now: number): number | undefined {
    for (const task of this.tasks) task.goneAt = now + task.goneAfterMs;
    return this.#next();
  }

  /** The user is back. */
  came(): void {
    for (const task of this.tasks) task.goneAt = NEVER;
  }

  wake(now: number): number | undefined {
    for (const task of [...this.tasks]) if (task.goneAt <= now) task.leave();
    return this.#next();
  }

  #next(): number | undefined {
    let next = NEVER;
    for (const { goneAt } of this.tasks) next = Math.min(next, goneAt);
    return next === NEVER ? undefined : next;
  }
}
