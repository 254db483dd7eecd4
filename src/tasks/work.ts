import { createHash } from 'node:crypto';
import { isRecord } from '../checks.js';
import { SSEKifyError } from '../errors.js';
import { pump } from '../pump.js';
import type { Items } from '../types.js';
import type { ProgressOptions, Task, TaskEvent, TaskFailure, TaskPhase } from './types.js';

/** What a task needs of its hub. */
export interface TaskPort {
  /** @param index - which of the task's events it is */
  publish(userId: string, data: TaskEvent, event: string, key: string): Promise<unknown>;
  /** Resolves when the user's connections on this instance can take more, or the signal aborts; `undefined` when they can now. */
  roomFor(userId: string, signal: AbortSignal): Promise<void> | undefined;
}

/** The checked options of a task. */
export interface TaskSettings {
  requestId: string;
  event: string;
  /** The task ends when its user is gone. */
  stops: boolean;
}

/** One task: it publishes in order, waits for its user's connections, and ends once. */
export class Work implements Task {
  readonly userId: string;
  readonly #settings: TaskSettings;
  readonly #port: TaskPort;
  readonly #over = new AbortController();
  readonly #onEnd: (work: Work) => void;
  #events = 0;
  #ending: Promise<void> | undefined;
  #detached = false;

  constructor(userId: string, settings: TaskSettings, port: TaskPort, onEnd: (work: Work) => void) {
    this.userId = userId;
    this.#settings = settings;
    this.#port = port;
    this.#onEnd = onEnd;
  }

  get requestId(): string {
    return this.#settings.requestId;
  }

  get signal(): AbortSignal {
    return this.#over.signal;
  }

  get ended(): boolean {
    return this.#ending !== undefined;
  }

  async progress(payload: unknown, options: ProgressOptions = {}): Promise<void> {
    if (this.ended) throw new SSEKifyError('TASK_ENDED', `the task ${this.requestId} is over; it takes no more.`);
    await this.#publish('progress', { payload, type: options.type });
    if (!this.#detached) await this.#port.roomFor(this.userId, this.signal);
  }

  done(payload?: unknown): Promise<void> {
    return this.#end('done', { payload });
  }

  error(error: unknown): Promise<void> {
    return this.#end('error', { error: failureOf(error) });
  }

  async pipe(items: Items, options: ProgressOptions = {}): Promise<void> {
    try {
      await pump(items, this.signal, (item) => this.progress(item, options));
    } catch (cause) {
      // What ends the task while an item is on its way is no failure of the iterable.
      return this.#ending ?? this.error(cause);
    }
    return this.done();
  }

  /** The user is gone. */
  leave(): void {
    if (this.#settings.stops) this.error({ message: 'the user is gone', code: 'GONE' }).catch(() => undefined);
    else this.#detached = true;
  }

  /** The hub is shut down: whoever resumes the task elsewhere goes on, so its end is not said. */
  abandon(): void {
    this.#ending ??= Promise.resolve();
    this.#over.abort();
    this.#onEnd(this);
  }

  #end(phase: TaskPhase, what: Partial<TaskEvent>): Promise<void> {
    if (this.#ending === undefined) {
      this.#ending = this.#publish(phase, what);
      this.#ending.catch(() => undefined);
      this.#over.abort();
      this.#onEnd(this);
    }
    return this.#ending;
  }

  async #publish(phase: TaskPhase, { type, payload, error }: Partial<TaskEvent>): Promise<void> {
    const { requestId, event } = this.#settings;
    const data: TaskEvent = {
      requestId,
      phase,
      event: phase,
      ...(type !== undefined && { type }),
      ...(payload !== undefined && { payload }),
      ...(error !== undefined && { error }),
    };
    // The end has a name of its own, so that a task has one end whoever resumes it.
    const key = phase === 'progress' ? String(this.#events) : 'end';
    this.#events += 1;
    await this.#port.publish(this.userId, data, event, taskKey(this.userId, requestId, key));
  }
}

/** The publish key of one event of a task, which is the same whoever publishes it. */
function taskKey(userId: string, requestId: string, which: string): string {
  const task = JSON.stringify([userId, requestId]);
  return `task ${task.length < 300 ? task : createHash('sha256').update(task).digest('hex')} ${which}`;
}

/** What a client may know of an error. */
function failureOf(error: unknown): TaskFailure {
  if (!isRecord(error)) return { message: String(error) };
  const { message, code } = error;
  return {
    message: typeof message === 'string' ? message : 'the task failed',
    ...(typeof code === 'string' && { code }),
  };
}
