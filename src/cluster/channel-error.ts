import { type PublishOutcome, reasonOf } from '../errors.js';

/** Why an adapter could not publish, and what is known of the message. */
export class ChannelError extends Error {
  /** `'refused'`: it was not taken. `'unknown'`: it was sent, and its answer lost. */
  readonly outcome: PublishOutcome;

  constructor(message: string, outcome: PublishOutcome, cause?: unknown) {
    super(message, cause === undefined ? undefined : { cause });
    this.name = 'ChannelError';
    this.outcome = outcome;
  }
}

/** ioredis gives a command up that a Cluster sends on and on, by what it was answered last. */
const NOT_DONE =
  /isn't writeable|isn't ready|client is offline|client is closed|Too many Cluster redirections\. Last error: ReplyError/i;

/** How ioredis says so: by options that are not the caller's to set. */
const LOST = /^Reached the max retries|^Stream isn't writeable/;

/** What a client library's rejection of a publish means: an answer of Redis, a message never taken, or a lost answer. */
export function channelError(cause: unknown): ChannelError {
  if (cause instanceof ChannelError) return cause;
  if (!(cause instanceof Error)) return new ChannelError(reasonOf(cause), 'unknown', cause);
  const answered =
    /^(ReplyError|SimpleError|BlobError|ErrorReply)$/.test(cause.constructor.name) || cause.name === 'ReplyError';
  const message = LOST.test(cause.message) ? 'the connection to Redis was lost' : cause.message;
  return new ChannelError(message, answered || NOT_DONE.test(cause.message) ? 'refused' : 'unknown', cause);
}

/** What an adapter's rejection of a publish says of the message. */
export function outcomeOf(cause: unknown): PublishOutcome {
  return typeof cause === 'object' && cause !== null && Reflect.get(cause, 'outcome') === 'unknown'
    ? 'unknown'
    : 'refused';
}
