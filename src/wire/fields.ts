import { SSEKifyError, show } from '../errors.js';

const MAX_ID_BYTES = 1024;
// CR, LF and NUL would end the field or, for an id, make clients ignore it; the rest does not survive a request header.
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const CONTROL = /[\u0000-\u001f\u007f-\u009f]/;
// biome-ignore lint/suspicious/noControlCharactersInRegex: control characters are what it looks for
const LINE_OR_NUL = /[\r\n\u0000]/;

/** The longest delay a Node timer keeps, and so the largest time any option takes. */
export const MAX_TIMER_MS = 2 ** 31 - 1;

/** An id as text, or the refusal of it. */
export function checkId(id: unknown): string {
  if (typeof id === 'number' && Number.isFinite(id)) return String(id);
  if (typeof id !== 'string') {
    throw new SSEKifyError('INVALID_ID', `id is ${show(id)}: expected a string or a finite number.`);
  }
  if (CONTROL.test(id)) {
    throw new SSEKifyError('INVALID_ID', `id ${show(id)} has a control character; ids travel in a request header.`);
  }
  if (id.trim() !== id) {
    throw new SSEKifyError('INVALID_ID', `id ${show(id)} begins or ends with white space, which a header would lose.`);
  }
  const wellFormed = id.toWellFormed();
  if (Buffer.byteLength(wellFormed) > MAX_ID_BYTES) {
    throw new SSEKifyError('INVALID_ID', `id ${show(id)} has more than ${MAX_ID_BYTES} UTF-8 bytes.`);
  }
  return wellFormed;
}

/** Whether a value can be an event's name. */
export const isEventName = (value: unknown): value is string => typeof value === 'string' && !LINE_OR_NUL.test(value);

/** An event name, or the refusal of it. */
export function checkEvent(event: unknown): string {
  if (typeof event !== 'string') {
    throw new SSEKifyError('INVALID_EVENT', `event is ${show(event)}: expected a string.`);
  }
  if (!isEventName(event)) {
    throw new SSEKifyError('INVALID_EVENT', `event ${show(event)} has a CR, LF or NUL, which would end the field.`);
  }
  return event;
}

/** A reconnection time, or the refusal of it. */
export function checkRetry(retry: unknown): number {
  if (typeof retry === 'number' && Number.isInteger(retry) && retry >= 0 && retry <= MAX_TIMER_MS) return retry;
  throw new SSEKifyError(
    'INVALID_RETRY',
    `retry is ${show(retry)}: expected an integer from 0 to ${MAX_TIMER_MS} (milliseconds).`,
  );
}
