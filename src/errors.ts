/**
 * Every code an {@link SSEKifyError} can carry. Codes are stable: a release may add codes, it does not rename them.
 * The table in `docs/errors.md` explains each one and what to do about it.
 */
export type SSEKifyErrorCode =
  | 'INVALID_OPTION'
  | 'INVALID_USER_ID'
  | 'INVALID_ROOM'
  | 'INVALID_EVENT'
  | 'INVALID_ID'
  | 'INVALID_RETRY'
  | 'INVALID_TEXT'
  | 'INVALID_HEADER'
  | 'INVALID_RESPONSE'
  | 'NOT_SERIALIZABLE'
  | 'PAYLOAD_TOO_LARGE'
  | 'REQUEST_ID_REQUIRED'
  | 'STAMP_FAILED'
  | 'LISTENER_FAILED'
  | 'SEQ_KV_FALLBACK'
  | 'SHUTDOWN'
  | 'REDIS_CLIENT_MISSING'
  | 'PEER_MISSING'
  | 'BUS_ERROR'
  | 'BUS_DOWN'
  | 'ECHO_LOST'
  | 'INVALID_ENVELOPE'
  | 'PUBLISH_REFUSED'
  | 'PUBLISH_UNANSWERED'
  | 'UNSUPPORTED'
  | 'TASK_ENDED';

/** What an {@link SSEKifyError} can carry beside its code and message. */
export interface SSEKifyErrorDetails {
  /** The error underneath, when there is one. */
  cause?: unknown;
  /** `'warn'` when the library carries on by itself and only tells. */
  level?: 'warn' | 'error' | undefined;
  /** The id of the event that could not be published. */
  id?: string | undefined;
  /** What became of it at the channel. */
  outcome?: PublishOutcome | undefined;
  /** Connections of this instance that got it all the same. */
  delivered?: number | undefined;
}

/** What is known of a publish that failed: the channel did not take it, or nobody knows. */
export type PublishOutcome = 'refused' | 'unknown';

/**
 * The one error class of the library: thrown for misuse, given to rejected promises, and carried by the `'error'` event.
 *
 * @example
 * ```ts
 * try {
 *   sse.sendToUser('', { hello: 'world' });
 * } catch (error) {
 *   if (error instanceof SSEKifyError && error.code === 'INVALID_USER_ID') console.log('no such user id');
 * }
 * ```
 */
export class SSEKifyError extends Error {
  static {
    // The build shortens names; this one is seen in logs.
    Object.defineProperty(SSEKifyError, 'name', { value: 'SSEKifyError' });
  }

  /** The stable code; see {@link SSEKifyErrorCode}. */
  readonly code: SSEKifyErrorCode;
  // The fields that may be absent are only declared: defined ones would stand in every log as `undefined`.
  /** `'warn'` when nothing failed for the caller; absent otherwise. */
  declare readonly level?: 'warn' | 'error';
  /** Of a failed publish: the event's id, with which a retry is safe; absent when the event has none. */
  declare readonly id?: string;
  /** Of a failed publish: whether the channel did not take it, or nobody knows. */
  declare readonly outcome?: PublishOutcome;
  /** Of a failed publish: how many connections of this instance got the event all the same. */
  declare readonly delivered?: number;

  constructor(code: SSEKifyErrorCode, message: string, details: SSEKifyErrorDetails = {}) {
    super(message, 'cause' in details ? { cause: details.cause } : undefined);
    this.name = 'SSEKifyError';
    this.code = code;
    const { level, id, outcome, delivered } = details;
    if (level !== undefined) this.level = level;
    if (id !== undefined) this.id = id;
    if (outcome !== undefined) this.outcome = outcome;
    if (delivered !== undefined) this.delivered = delivered;
  }
}

/** Shows a rejected value in a message: short, on one line, without secrets of a URL, and never throwing. */
export function show(value: unknown): string {
  if (typeof value === 'string') {
    // A URL may have a password in it.
    const text = value.replace(/^([^:@]*:).*@/s, '$1…@');
    return JSON.stringify(text.length > 80 ? `${text.slice(0, 80)}…` : text);
  }
  if (typeof value === 'bigint') return `${value}n`;
  if (typeof value === 'function') return 'a function';
  if (typeof value === 'symbol') return 'a symbol';
  if (typeof value !== 'object' || value === null) return String(value);
  try {
    return Array.isArray(value) ? 'an array' : 'an object';
  } catch {
    // A revoked proxy cannot even be asked that.
    return 'an object';
  }
}

/** What was thrown, as text. Anything can be thrown, also what no text can be made of. */
export function reasonOf(thrown: unknown): string {
  try {
    return String(thrown);
  } catch {
    return show(thrown);
  }
}

/** The message of what was thrown, or the whole of it as text. */
export function messageOf(thrown: unknown): string {
  try {
    return (thrown instanceof Error && thrown.message) || String(thrown);
  } catch {
    return show(thrown);
  }
}

/** What was thrown while an event was made, as the error that is told. */
export function asError(thrown: unknown): SSEKifyError {
  if (thrown instanceof SSEKifyError) return thrown;
  return new SSEKifyError('STAMP_FAILED', `the event could not be made: ${reasonOf(thrown)}`, { cause: thrown });
}

const OF_DATA: ReadonlySet<string> = new Set(['NOT_SERIALIZABLE', 'PAYLOAD_TOO_LARGE', 'STAMP_FAILED']);

/** Whether an error says that data cannot be sent, whoever tries. */
export const refusesData = (error: unknown): boolean => error instanceof SSEKifyError && OF_DATA.has(error.code);

/** The error of what is called too late. */
export const shutDown = (what: string) =>
  new SSEKifyError('SHUTDOWN', `${what} was called after shutdown(); make a new SSEKify to go on.`);
