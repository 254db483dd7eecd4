import type { SSEKifyErrorCode } from '../../src/index.js';

/** Codes that no call on one instance gives, and why. Whoever tests one moves it to the cases of `errors.test.ts`. */
export const NOT_ON_ONE_INSTANCE: Readonly<Partial<Record<SSEKifyErrorCode, string>>> = {
  SEQ_KV_FALLBACK: 'numbers of one instance always come from memory',
  REDIS_CLIENT_MISSING: 'comes when the redis option is given without its client library',
  BUS_ERROR: 'comes from a channel between instances',
  BUS_DOWN: 'comes from a channel between instances',
  ECHO_LOST: 'comes from a channel between instances',
  INVALID_ENVELOPE: 'comes from a channel between instances',
  PUBLISH_REFUSED: 'comes from a channel between instances',
  PUBLISH_UNANSWERED: 'comes from a channel between instances',
};
