import { createHash } from 'node:crypto';
import { isDeepStrictEqual } from 'node:util';
import { readOptions, text } from '../checks.js';
import { refusesData, SSEKifyError } from '../errors.js';
import { checkItems, pump } from '../pump.js';
import { harmless } from '../settling.js';
import type { Items } from '../types.js';
import { failureOf, NO_REASON } from './failure.js';
import type { ProgressOptions, Task, TaskEvent } from './types.js';

/** What a task needs of its hub. */
export interface TaskPort {
  /** Whether an event with the key of one before is left out. */
  readonly keyed: boolean;
  publish(userId: string, data: TaskEvent, event: string, key: string | undefined): Promise<unknown>;
  /** Resolves when the user's connections on this instance can take more, or the signal aborts. */
  roomFor(userId: string, signal: AbortSignal): Promise<void>;
}

/** The checked options of a task. */
export interface TaskSettings {
  requestId: string;
  event: string;
  /** How long after its user left it ends; never, when that is `Infinity`. */
  goneAfterMs: number;
}

/** What one event of a task tells. */
type Word = Omit<TaskEvent, 'requestId' | 'event'>;

const progressSchema = { type: text(undefined) };

const typeOf = (options: ProgressOptions | undefined) =>
  options === undefined ? undefined : readOptions(progressSchema, options, 'options').type;

/** One task: it publishes in order, waits for its user's connections, and ends once. */
export class Work implements Task {
  readonly userId: string;
  /** When its user counts as gone, on the clock's time. */
  goneAt = Number.POSITIVE_INFINITY;
  readonly #settings: TaskSettings;
  readonly #port: TaskPort;
  readonly #over = new AbortController();
  readonly #onEnd: (work: Work) => void;
  readonly #key: string | undefined;
  #pieces = 0;
  /** The piece before, which failed: sent again, it is the same one. */
  #failed: { type: string | undefined; payload: unknown; place: number } | undefined;
  #ended = false;
  #ending: Promise<void> | undefined;

  constructor(userId: string, settings: TaskSettings, port: TaskPort, onEnd: (work: Work) => void) {
    this.userId = userId;
    this.#settings = settings;
    this.#port = port;
    this.#onEnd = onEnd;
    this.#key = port.keyed ? taskKey(userId, settings.requestId) : undefined;
  }

  get requestId(): string {
    return this.#settings.requestId;
  }

  get goneAfterMs(): number {
    return this.#settings.goneAfterMs;
  }

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  get ended(): boolean {
    return this.#ended;
  }

  progress(payload: unknown, options?: ProgressOptions): Promise<void> {
    return harmless(this.#checkedProgress(payload, options));
  }

  done(payload?: unknown): Promise<void> {
    return this.#end({ phase: 'done', payload });
  }

  error(error: unknown): Promise<void> {
    return this.#end({ phase: 'error', error: failureOf(error) });
  }

  pipe(items: Items, options?: ProgressOptions): Promise<void> {
    return harmless(this.#pipe(items, options));
  }

  /** The user is gone. */
  leave(): void {
    this.error({ message: 'the user is gone', code: 'GONE' });
  }

  /** The hub is shut down: whoever resumes the task elsewhere goes on, so its end is not said. */
  abandon(): void {
    this.#close();
  }

  async #checkedProgress(payload: unknown, options: ProgressOptions | undefined): Promise<void> {
    await this.#progress(payload, typeOf(options));
  }

  async #pipe(items: Items, options: ProgressOptions | undefined): Promise<void> {
    checkItems(items);
    const type = typeOf(options);
    // While the iterable was waited for, other tasks of the user may have put their connections behind.
    const untilRoom = () => this.#port.roomFor(this.userId, this.signal);
    try {
      await pump(items, this.signal, async (item) => {
        await untilRoom();
        await this.#progress(item, type);
      });
      await untilRoom();
    } catch (cause) {
      // What ends the task while an item is on its way is no failure of the iterable.
      return this.error(cause);
    }
    return this.done();
  }

  async #progress(payload: unknown, type: string | undefined): Promise<void> {
    if (this.#ended) throw new SSEKifyError('TASK_ENDED', `the task ${this.requestId} is over; it takes no more.`);
    await this.#publishPiece(type, payload);
    await this.#port.roomFor(this.userId, this.signal);
  }

  async #publishPiece(type: string | undefined, payload: unknown): Promise<void> {
    const failed = this.#failed;
    const isAgain = failed !== undefined && failed.type === type && isDeepStrictEqual(failed.payload, payload);
    const place = isAgain ? failed.place : this.#pieces;
    this.#failed = undefined;
    if (!isAgain) this.#pieces += 1;
    try {
      await this.#publish({ phase: 'progress', type, payload }, place);
    } catch (error) {
      this.#failed = { type, payload, place };
      throw error;
    }
  }

  #end(last: Word): Promise<void> {
    if (!this.#ended) {
      // First of all: what listens to the hub may end it, too.
      this.#ended = true;
      this.#ending = harmless(this.#publishEnd(last));
      this.#close();
    }
    return this.#ending ?? Promise.resolve();
  }

  #close(): void {
    this.#ended = true;
    this.#onEnd(this);
    this.#over.abort();
  }

  async #publishEnd(last: Word): Promise<void> {
    try {
      await this.#publish(last, 'end');
    } catch (cause) {
      if (!refusesData(cause)) throw cause;
      // The client must not wait for an end that could not be told.
      const isDone = last.phase === 'done';
      await this.#publish({ phase: 'error', error: isDone ? failureOf(cause) : { message: NO_REASON } }, 'end');
      if (isDone) throw cause;
    }
  }

  #publish({ phase, type, payload, error }: Word, place: number | 'end'): Promise<unknown> {
    const { requestId, event } = this.#settings;
    const data: TaskEvent = { requestId, phase, event: phase };
    if (type !== undefined) data.type = type;
    if (payload !== undefined) data.payload = payload;
    if (error !== undefined) data.error = error;
    // The end has a name of its own, so that a task has one end whoever resumes it.
    const key = this.#key && `${this.#key} ${place}`;
    return this.#port.publish(this.userId, data, event, key);
  }
}

/** What the publish keys of a task begin with, which is the same whoever publishes it. */
function taskKey(userId: string, requestId: string): string {
  const task = JSON.stringify([userId, requestId]);
  return `task ${task.length < 300 ? task : createHash('sha256').update(task).digest('hex')}`;
}
