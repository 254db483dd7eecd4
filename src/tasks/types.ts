import type { Items } from '../types.js';

/** Where a task is. */
export type TaskPhase = 'progress' | 'done' | 'error';

/** The data of each event of a task. */
export interface TaskEvent<Payload = unknown> {
  /** Which task it is of. */
  requestId: string;
  phase: TaskPhase;
  /** The phase again, by which the `vsse` browser client lets go of its listener. */
  event: TaskPhase;
  /** What kind of payload it is; whatever the caller said. */
  type?: string | undefined;
  payload?: Payload | undefined;
  /** Why it failed; of the phase `'error'`. */
  error?: TaskFailure | undefined;
}

/** What a client is told of a failure: never a stack. */
export interface TaskFailure {
  message: string;
  code?: string | undefined;
}

/** Options of `sse.task`. */
export interface TaskOptions {
  /** By which the client knows what belongs together; also the key of the events' sequence numbers. A non-empty string. */
  requestId: string;
  /**
   * Name of the events.
   * @defaultValue 'notify'
   */
  event?: string | undefined;
  /**
   * What happens to the producer when the user has left: `'stop'` ends the task with an error (code `'GONE'`), `'detach'` lets it
   * go on without waiting for anyone. Default: `'stop'` on an instance that is alone, `'detach'` with `redis`, where the user may
   * have moved to another instance.
   */
  whenGone?: 'stop' | 'detach' | undefined;
  /**
   * Milliseconds after a user's last connection on this instance ended when the user counts as gone; an EventSource comes back
   * within seconds.
   * @defaultValue 10000
   */
  goneAfterMs?: number | undefined;
}

/** What can be said about one payload. */
export interface ProgressOptions {
  /** What kind of payload it is, as `type` in the data. */
  type?: string | undefined;
}

/**
 * A piece of work whose output goes to one user, event by event: any number of `progress`, then one `done` or one `error`.
 */
export interface Task {
  readonly requestId: string;
  readonly userId: string;
  /** Aborts when the task is over: after its end, and when the user is gone and `whenGone` is `'stop'`. */
  readonly signal: AbortSignal;
  /** Whether it has ended. */
  readonly ended: boolean;
  /**
   * Sends a piece. Resolves when it is published and the user's connections on this instance can take more, so awaiting it
   * keeps the producer at their pace.
   * @throws {@link SSEKifyError} `TASK_ENDED` when the task is over, and as `publish`
   */
  progress(payload: unknown, options?: ProgressOptions): Promise<void>;
  /** Ends the task well. Only the first end counts. */
  done(payload?: unknown): Promise<void>;
  /** Ends the task with an error, of which the client is told the message, and the code if it has one. Only the first end counts. */
  error(error: unknown): Promise<void>;
  /**
   * Sends each item as progress, at the pace of the user's connections, and ends the task: with `done`, or, when the iterable
   * throws, with `error`. The iterable is closed in any case. It never rejects for what the iterable throws.
   * @throws {@link SSEKifyError} as `publish`
   */
  pipe(items: Items, options?: ProgressOptions): Promise<void>;
}
