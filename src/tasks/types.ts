import type { Items } from '../types.js';

/** What an event of a task tells: a piece, or its end. */
export type TaskPhase = 'progress' | 'done' | 'error';

/** The data of each event of a task. */
export interface TaskEvent<Payload = unknown> {
  /** The task's. */
  requestId: string;
  phase: TaskPhase;
  /** The phase again, by which the `vsse` browser client lets go of its listener. */
  event: TaskPhase;
  /** What kind of payload it is, as given to `progress` or `pipe`. */
  type?: string | undefined;
  /** What was given to `progress`, `pipe` or `done`. */
  payload?: Payload | undefined;
  /** Why the task failed; present in the phase `'error'`. */
  error?: TaskFailure | undefined;
}

/** What a client is told of a failure: never a stack. */
export interface TaskFailure {
  message: string;
  code?: string | undefined;
}

/** Options of `sse.task`. */
export interface TaskOptions {
  /**
   * Tells the client which events belong together, and is the key of their sequence numbers. A non-empty string. A task begun
   * again with the same one is the same task: in lossless mode what it repeats is sent once.
   */
  requestId: string;
  /**
   * Name of the events.
   * @defaultValue 'notify'
   */
  event?: string | undefined;
  /**
   * What happens when the user is gone: `'stop'` ends the task with an error (code `'GONE'`), `'detach'` lets it go on without
   * waiting for anybody. Default: `'stop'` on an instance that is alone, `'detach'` with `redis`, where the user may
   * have moved to another instance.
   */
  whenGone?: 'stop' | 'detach' | undefined;
  /**
   * A user counts as gone this many milliseconds after their last connection on this instance ended; an EventSource comes back
   * within seconds. `0` = at once. A user who was never here while the task ran is not gone: what is sent waits for replay.
   * @defaultValue 10000
   */
  goneAfterMs?: number | undefined;
}

/** Options of `progress` and `pipe`. */
export interface ProgressOptions {
  /** What kind of payload it is, as `type` in the data; a non-empty string. */
  type?: string | undefined;
}

/**
 * A piece of work whose output goes to one user, event by event: any number of `progress`, then one `done` or one `error`.
 * A rejection of its methods that nobody awaits does not end the process.
 */
export interface Task {
  readonly requestId: string;
  readonly userId: string;
  /** Aborts when the task is over: at its end, when the user is gone and `whenGone` is `'stop'`, and at the hub's shutdown. */
  readonly signal: AbortSignal;
  /** Whether it has ended. */
  readonly ended: boolean;
  /**
   * Sends a piece. Resolves when it is published and none of the user's connections on this instance is behind, so awaiting it
   * keeps the producer at the pace of the slowest.
   * @throws {@link SSEKifyError} `TASK_ENDED` when the task is over, `INVALID_OPTION`, and as `publish`
   */
  progress(payload: unknown, options?: ProgressOptions): Promise<void>;
  /**
   * Ends the task well. Only the first end counts. A payload that cannot be sent rejects, and ends the task with an error.
   * @throws {@link SSEKifyError} as `publish`
   */
  done(payload?: unknown): Promise<void>;
  /**
   * Ends the task with an error, of which the client is told the message, and the code if it is a string. Only the first end
   * counts.
   * @throws {@link SSEKifyError} as `publish`
   */
  error(error: unknown): Promise<void>;
  /**
   * Sends each item as progress, at the pace of the user's connections, and ends the task: with `done`, or, when the iterable
   * throws, or an item cannot be sent, with `error`. The iterable is closed in any case. It never rejects for what the iterable
   * throws.
   * @throws {@link SSEKifyError} `INVALID_OPTION`, also for what is no iterable, and as `publish` for the end
   */
  pipe(items: Items, options?: ProgressOptions): Promise<void>;
}
