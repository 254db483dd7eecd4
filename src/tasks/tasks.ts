import { isRecord, milliseconds, oneOf, readOptions, refuse, text } from '../checks.js';
import type { Clock, Wakeable } from '../delivery/clock.js';
import { checkEvent } from '../wire/fields.js';
import type { Task } from './types.js';
import { type TaskPort, Work } from './work.js';

/** What tasks need of their hub. */
export interface TasksParts extends TaskPort {
  clock: Clock;
  /** Whether the user has a connection here. */
  isHere(userId: string): boolean;
  /** Users may be on other instances. */
  shared: boolean;
}

/** The tasks of one user, and when they count as left. */
class Presence implements Wakeable {
  wakeSlot: number | undefined;
  readonly tasks = new Map<Work, number>();
  /** When its last connection here ended; `undefined` while it has one, or never had. */
  goneAt: number | undefined;
  readonly #isHere: () => boolean;

  constructor(isHere: () => boolean) {
    this.#isHere = isHere;
  }

  wake(now: number): number | undefined {
    if (this.goneAt === undefined || this.#isHere()) return undefined;
    let next = Number.POSITIVE_INFINITY;
    for (const [task, goneAfterMs] of [...this.tasks]) {
      const at = this.goneAt + goneAfterMs;
      if (at <= now) task.leave();
      else next = Math.min(next, at);
    }
    return next === Number.POSITIVE_INFINITY ? undefined : next;
  }
}

/** The tasks of a hub that have not ended. */
export class Tasks {
  readonly #parts: TasksParts;
  readonly #users = new Map<string, Presence>();

  constructor(parts: TasksParts) {
    this.#parts = parts;
  }

  start(userId: string, options: unknown): Task {
    if (!isRecord(options)) refuse('options', options, 'an object with requestId');
    const schema = {
      requestId: (value: unknown, name: string) =>
        text(undefined)(value, name) ?? refuse(name, value, 'a non-empty string'),
      event: (value: unknown, name: string) => checkEvent(text('notify')(value, name)),
      whenGone: oneOf(['stop', 'detach'], this.#parts.shared ? 'detach' : 'stop'),
      goneAfterMs: milliseconds(10_000),
    };
    const { requestId, event, whenGone, goneAfterMs } = readOptions(schema, options, 'options');
    const settings = { requestId, event, stops: whenGone === 'stop' };
    const work = new Work(userId, settings, this.#parts, (ended) => this.#forget(ended));
    const presence = this.#users.get(userId) ?? new Presence(() => this.#parts.isHere(userId));
    this.#users.set(userId, presence);
    presence.tasks.set(work, goneAfterMs);
    if (presence.goneAt !== undefined) this.#parts.clock.wakeAt(presence, presence.goneAt + goneAfterMs);
    return work;
  }

  /** One of the user's connections ended. */
  left(userId: string): void {
    const presence = this.#users.get(userId);
    if (presence === undefined || this.#parts.isHere(userId)) return;
    const { clock } = this.#parts;
    presence.goneAt = clock.now();
    clock.wakeAt(presence, presence.goneAt + Math.min(...presence.tasks.values()));
  }

  /** The user has a new connection. */
  came(userId: string): void {
    const presence = this.#users.get(userId);
    if (presence === undefined) return;
    presence.goneAt = undefined;
    this.#parts.clock.cancel(presence);
  }

  /** No task goes on. */
  end(): void {
    for (const { tasks } of [...this.#users.values()]) for (const work of [...tasks.keys()]) work.abandon();
  }

  #forget(work: Work): void {
    const presence = this.#users.get(work.userId);
    presence?.tasks.delete(work);
    if (presence === undefined || presence.tasks.size > 0) return;
    this.#parts.clock.cancel(presence);
    this.#users.delete(work.userId);
  }
}
