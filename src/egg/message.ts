import type { PublishOptions } from '../index.js';

/** What is published, when there is more to say of it than a text. */
export interface EggMessage extends PublishOptions {
  /** Text goes as it is, anything else as JSON; without it the event has no data. */
  data?: unknown;
}

/**
 * What goes to clients: text, which is an event without a name, or a message. Text that begins with `:`, by itself or as
 * the only member of a message, is a comment.
 */
export type EggData = string | EggMessage;

/** The text of a comment; `undefined` for an event. */
export function commentIn(message: EggData): string | undefined {
  const text = isPlain(message) && Object.keys(message).length === 1 ? message.data : message;
  return typeof text === 'string' && text.startsWith(':') ? text.slice(1).trimStart() : undefined;
}

/** An event, as a hub takes it. */
export function eventIn(message: EggData): [data: unknown, options: PublishOptions] {
  if (!isPlain(message)) return [message, { text: typeof message === 'string' }];
  const { data = '', ...options } = message;
  return [data, { text: typeof data === 'string', ...options }];
}

/** Whether it is a message, and not what its data would be: a date or a list has no members to read. */
function isPlain(value: unknown): value is EggMessage {
  if (typeof value !== 'object' || value === null) return false;
  const prototype: unknown = Object.getPrototypeOf(value);
  return prototype === Object.prototype || prototype === null;
}
