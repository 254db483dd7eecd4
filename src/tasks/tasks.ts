import { isRecord, milliseconds, oneOf, readOptions, refuse, text } from '../checks.js';
import type { Clock } from '../delivery/clock.js';
import { checkEvent } from '../wire/fields.js';
import { Presence } from './presence.js';
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

/** The tasks of a hub that have not ended. */
export class Tasks {
  readonly #parts: TasksParts;
  readonly #users = new Map<string, Presence>();
  #state: 'open' | 'leaving' | 'over' = 'open';

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
    const settings = { requestId, event, goneAfterMs: whenGone === 'stop' ? goneAfterMs : Number.POSITIVE_INFINITY };
    const work = new Work(userId, settings, this.#parts, (ended) => this.#forget(ended));
    const presence = this.#users.get(userId) ?? new Presence();
    this.#users.set(userId, presence);
    presence.tasks.add(work);
    if (this.#state === 'over') work.abandon();
    return work;
  }

  /** One of the user's connections ended. */
  left(userId: string): void {
    const presence = this.#users.get(userId);
    if (presence === undefined || this.#state !== 'open' || this.#parts.isHere(userId)) return;
    const { clock } = this.#parts;
    const next = presence.left(clock.now());
    if (next !== undefined) clock.wakeAt(presence, next);
  }

  /** The user has a new connection. */
  came(userId: string): void {
    const presence = this.#users.get(userId);
    // It may have ended by now.
    if (presence === undefined || !this.#parts.isHere(userId)) return;
    presence.came();
    this.#parts.clock.cancel(presence);
  }

  /** From now on users leave because the hub sends them away. */
  leave(): void {
    this.#state = 'leaving';
  }

  /** No task goes on. */
  end(): void {
    this.#state = 'over';
    for (const { tasks } of [...this.#users.values()]) for (const work of [...tasks]) work.abandon();
  }

  #forget(work: Work): void {
    const presence = this.#users.get(work.userId);
    presence?.tasks.delete(work);
    if (presence === undefined || presence.tasks.size > 0) return;
    this.#parts.clock.cancel(presence);
    this.#users.delete(work.userId);
  }
}
