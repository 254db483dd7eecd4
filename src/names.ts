import { readOptions, text } from './checks.js';
import { SSEKifyError, type SSEKifyErrorCode, show } from './errors.js';

/** The text of a user id or room name; `undefined` when the value is not one. */
export function nameOf(value: unknown): string | undefined {
  if (typeof value === 'string') return value === '' ? undefined : value;
  return typeof value === 'number' && Number.isFinite(value) ? String(value) : undefined;
}

function checkName(value: unknown, what: string, code: SSEKifyErrorCode): string {
  const name = nameOf(value);
  if (name === undefined) {
    throw new SSEKifyError(code, `${what} is ${show(value)}: expected a non-empty string or a finite number.`);
  }
  return name;
}

export const checkUserId = (value: unknown): string => checkName(value, 'userId', 'INVALID_USER_ID');

/** What an envelope calls either. */
export const checkTarget = (value: unknown): string => checkName(value, 'target', 'INVALID_USER_ID');

/** `where` is what the message calls it. */
export const checkRoom = (value: unknown, where = 'room'): string => checkName(value, where, 'INVALID_ROOM');

const closeSchema = { reason: text(undefined) };

/** The reason that goes with a close, if one is given. */
export const checkReason = (options: unknown): string | undefined =>
  readOptions(closeSchema, options, 'options').reason;
