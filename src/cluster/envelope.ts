import { isRecord } from '../checks.js';
import { SSEKifyError, show } from '../errors.js';
import { checkRoom, checkUserId } from '../names.js';
import type { Scope } from '../types.js';
import { checkEvent, checkId, checkRetry } from '../wire/fields.js';
import type { WireEvent } from '../wire/frame.js';

/** What an envelope asks for: an event for a scope, or something to be done with a user's connections. */
export type EnvelopeType = 'user' | 'room' | 'all' | 'close' | 'join' | 'leave';

/**
 * What travels between instances: JSON, version 1. A service in any language may publish it; `type`, and `target` where
 * there is one, and `data` are enough. `data` comes last, so that instances pass its text on as it is.
 */
export interface Envelope {
  /** Version of the format; 1. */
  v?: number | undefined;
  /** Unique per publish; echoes and duplicates are known by it. */
  n?: string | undefined;
  type: EnvelopeType;
  /** The user's id or the room's name; absent for everyone. */
  target?: string | undefined;
  /** The room of a `join` or `leave`. */
  room?: string | undefined;
  /** Why a `close` happens; told to the client. */
  reason?: string | undefined;
  event?: string | undefined;
  /** Without one the event is delivered live and not recorded. */
  id?: string | undefined;
  retry?: number | undefined;
  /** When it was published, in epoch milliseconds. */
  at?: number | undefined;
  /** The instance that published it. */
  origin?: string | undefined;
  /** What was sent, with its automatic fields. On the wire, text that is no JSON stands as `text` in its place. */
  data: unknown;
}

/** Something to be done with a user's connections on every instance. */
export type Command =
  | { type: 'close'; target: string; reason: string | undefined }
  | { type: 'join' | 'leave'; target: string; room: string };

/** An envelope that was received and found good; `about` is what it says of itself. */
export type Received = { n: string | undefined; about: Partial<Envelope> } & (
  | { scope: Scope; event: WireEvent }
  | { command: Command }
);

/** Everything of an event's envelope up to its data. */
export function eventHead(scope: Scope, event: Omit<WireEvent, 'text'>, n: string, origin: string): string {
  return JSON.stringify({
    v: 1,
    n,
    type: scope.kind,
    target: scope.name,
    event: event.event,
    id: event.id,
    retry: event.retry,
    at: Date.now(),
    origin,
  }).slice(0, -1);
}

export function commandEnvelope(command: Command, n: string, origin: string): string {
  return JSON.stringify({ v: 1, n, ...command, at: Date.now(), origin, data: null });
}

/** How an event's text goes behind its head: JSON as it is, other text as a string. */
export function dataField(text: string, isJson: boolean): string {
  return isJson ? `,"data":${text}}` : `,"text":${JSON.stringify(text)}}`;
}

/** Whether text is JSON, and so may stand in an envelope as it is. */
export function isJson(text: string): boolean {
  try {
    JSON.parse(text);
    return true;
  } catch {
    return false;
  }
}

const MAX_DEPTH = 512;
/** A head's share of a message, and what escaping can make of one byte of text. */
const HEAD_BYTES = 16 * 1024;
const ESCAPED_BYTES = 6;
// Only at the top level can this stand unescaped before the data, since all fields before it are no objects.
const DATA_KEY = /,\s*"data"\s*:\s*/;
// A second "data" key, perhaps spelled with an escape, would make two values of the rest.
const MAY_REPEAT_KEY = /"data"|\\u/;

function bad(what: string, cause?: unknown): never {
  throw new SSEKifyError('INVALID_ENVELOPE', `an envelope was dropped: ${what}.`, cause === undefined ? {} : { cause });
}

/** Reads what arrived on the channel, which anybody may have written. @throws SSEKifyError INVALID_ENVELOPE */
export function decodeEnvelope(message: string, maxPayloadBytes: number): Received {
  if (maxPayloadBytes > 0 && message.length > maxPayloadBytes * ESCAPED_BYTES + HEAD_BYTES) bad('it is too large');
  if (isTooDeep(message)) bad(`it is nested deeper than ${MAX_DEPTH} levels`);
  let envelope: unknown;
  try {
    envelope = JSON.parse(message);
  } catch (cause) {
    bad('it is no JSON', cause);
  }
  if (!isRecord(envelope)) bad('it is no object');
  try {
    return read(envelope, message, maxPayloadBytes);
  } catch (cause) {
    if (cause instanceof SSEKifyError && cause.code === 'INVALID_ENVELOPE') throw cause;
    return bad(cause instanceof Error ? cause.message : String(cause), cause);
  }
}

function read(envelope: Record<string, unknown>, message: string, maxPayloadBytes: number): Received {
  const { v, n, type, target, room, reason } = envelope;
  if (v !== undefined && v !== 1) bad(`its version is ${show(v)}, not 1`);
  if (n !== undefined && (typeof n !== 'string' || n.length > 256)) bad('n is no short string');
  const about = aboutOf(envelope, n);
  if (type === 'close') {
    if (reason !== undefined && typeof reason !== 'string') bad('reason is no string');
    return { n, about, command: { type, target: checkUserId(target), reason } };
  }
  if (type === 'join' || type === 'leave') {
    return { n, about, command: { type, target: checkUserId(target), room: checkRoom(room) } };
  }
  const text = textOf(envelope, message);
  if (maxPayloadBytes > 0 && text.length * 3 > maxPayloadBytes && Buffer.byteLength(text) > maxPayloadBytes) {
    bad(`its data has more than ${maxPayloadBytes} bytes`);
  }
  const { event, id, retry } = envelope;
  return {
    n,
    about,
    scope: scopeOf(type, target),
    event: {
      text,
      event: event === undefined || event === null ? undefined : checkEvent(event),
      id: id === undefined || id === null ? undefined : checkId(id),
      retry: retry === undefined || retry === null ? undefined : checkRetry(retry),
    },
  };
}

function aboutOf({ v, at, origin }: Record<string, unknown>, n: string | undefined): Partial<Envelope> {
  return {
    ...(v === 1 && { v }),
    ...(n !== undefined && { n }),
    ...(typeof at === 'number' && { at }),
    ...(typeof origin === 'string' && { origin }),
  };
}

function scopeOf(type: unknown, target: unknown): Scope {
  if (type === 'all') return { kind: 'all' };
  if (type === 'user') return { kind: 'user', name: checkUserId(target) };
  if (type === 'room') return { kind: 'room', name: checkRoom(target) };
  return bad(`type is ${show(type)}`);
}

/** The publisher's own text of the data where it stands last, and else what its value serializes to. */
function textOf(envelope: Record<string, unknown>, message: string): string {
  const { text } = envelope;
  if (text !== undefined) return typeof text === 'string' ? text : bad('text is no string');
  if (!Object.hasOwn(envelope, 'data')) bad('it has no data');
  const raw = lastValue(envelope, message);
  return raw ?? JSON.stringify(envelope.data);
}

function lastValue(envelope: Record<string, unknown>, message: string): string | undefined {
  const names = Object.keys(envelope);
  if (names.at(-1) !== 'data') return undefined;
  for (const name of names) if (name !== 'data' && typeof envelope[name] === 'object') return undefined;
  const key = DATA_KEY.exec(message);
  if (key === null) return undefined;
  const raw = message.slice(key.index + key[0].length, message.lastIndexOf('}')).trimEnd();
  return MAY_REPEAT_KEY.test(raw) && !isJson(raw) ? undefined : raw;
}

/** Whether brackets nest too deep; most messages have too few of them for that, which is seen quickly. */
function isTooDeep(message: string): boolean {
  let brackets = 0;
  for (const bracket of ['{', '[']) {
    for (let at = message.indexOf(bracket); at !== -1 && brackets <= MAX_DEPTH; at = message.indexOf(bracket, at + 1)) {
      brackets += 1;
    }
  }
  if (brackets <= MAX_DEPTH) return false;
  let depth = 0;
  let inString = false;
  for (let at = 0; at < message.length; at += 1) {
    const char = message[at];
    if (inString) {
      if (char === '\\') at += 1;
      else if (char === '"') inString = false;
    } else if (char === '"') inString = true;
    else if (char === '{' || char === '[') {
      depth += 1;
      if (depth > MAX_DEPTH) return true;
    } else if (char === '}' || char === ']') depth -= 1;
  }
  return false;
}

/** A received or published event, for those who listen to `'publish'`. */
export function envelopeOf(scope: Scope, { id, event, retry, text }: WireEvent, about: Partial<Envelope>): Envelope {
  return {
    ...about,
    type: scope.kind,
    ...(scope.name !== undefined && { target: scope.name }),
    ...(event !== undefined && { event }),
    ...(id !== undefined && { id }),
    ...(retry !== undefined && { retry }),
    data: parsed(text),
  };
}

/** Data as it was before it became text; text that is no JSON stays text. */
function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
