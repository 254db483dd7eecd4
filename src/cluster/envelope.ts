import { isRecord } from '../checks.js';
import type { HeldScope } from '../delivery/recent-buffer.js';
import { messageOf, SSEKifyError, show } from '../errors.js';
import { checkRoom, checkTarget } from '../names.js';
import type { Scope } from '../types.js';
import { checkEvent, checkId, checkRetry } from '../wire/fields.js';
import type { WireEvent } from '../wire/frame.js';
import { CanonicalReader, type CountedSource } from './canonical.js';
import { fieldText, isJson, isTooDeep } from './json-text.js';

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
  /** Whom it is for, or what a command does. */
  type: EnvelopeType;
  /** The user's id or the room's name; absent for everyone. */
  target?: string | undefined;
  /** The room of a `join` or `leave`. */
  room?: string | undefined;
  /** Why a `close` happens; told to the client. */
  reason?: string | undefined;
  /** The event's name; without one it is a `message`. */
  event?: string | undefined;
  /** Without one the event is delivered live and not recorded. */
  id?: string | undefined;
  /** Tells the client how long to wait before it reconnects, in milliseconds. */
  retry?: number | undefined;
  /** When it was published, in epoch milliseconds. */
  at?: number | undefined;
  /** The instance that published it. */
  origin?: string | undefined;
  /** Published once more: clients of its publisher may have had it, and not what came before it. */
  again?: boolean | undefined;
  /** What was sent, with its automatic fields. On the wire, text that is no JSON stands as `text` in its place. */
  data: unknown;
}

/** Something to be done with a user's connections on every instance. */
export type Command =
  | { type: 'close'; target: string; reason: string | undefined }
  | { type: 'join' | 'leave'; target: string; room: string };

/** An envelope that was received and found good. */
export type Received = {
  /** Absent also where it was not read, of an event that has an id and whose message begins as ssekify writes it. */
  n?: string | undefined;
} & (
  | {
      scope: HeldScope;
      event: WireEvent;
      /** It came as text, or its number is known: there is no data to look for a number in. */
      asText: boolean;
      /** Clients of its publisher had it before, and maybe not what came before it here. */
      again?: boolean;
    }
  | { command: Command }
);

/** Text in two pieces, between which a number is put. */
export interface Around {
  before: string;
  after: string;
}

/** Everything of an event's envelope up to its data; the fields in the order that {@link CanonicalReader} looks for. */
export function eventHead(
  scope: Scope,
  event: Omit<WireEvent, 'text'>,
  n: string,
  origin: string,
  again = false,
): string {
  const target = field('target', scope.name);
  const fields = `${target}${field('event', event.event)}${field('id', event.id)}${field('retry', event.retry)}`;
  return `{"v":1,"n":"${n}","type":"${scope.kind}"${fields},"at":${Date.now()},"origin":"${origin}"${again ? ',"again":true' : ''}`;
}

const field = (name: string, value: string | number | undefined) =>
  value === undefined ? '' : `,"${name}":${JSON.stringify(value)}`;

export function commandEnvelope(command: Command, n: string, origin: string): string {
  return JSON.stringify({ v: 1, n, ...command, at: Date.now(), origin, data: null });
}

/** How an event's text goes behind its head: JSON as it is, other text as a string; also JSON too deep to be accepted as such. */
export function dataField(text: string, json: boolean): string {
  return json && !isTooDeep(text, 1) ? `,"data":${text}}` : `,"text":${JSON.stringify(text)}}`;
}

/** The same of text that gets a number between its two pieces. */
export function dataFieldAround({ before, after }: Around): Around {
  if (!isTooDeep(before, 1)) return { before: `,"data":${before}`, after: `${after}}` };
  return { before: `,"text":${JSON.stringify(before).slice(0, -1)}`, after: `${JSON.stringify(after).slice(1)}}` };
}

// JSON has other white space at its edges than text has, and a receiver could not tell whose it is.
const EDGE_SPACE = /^\s|\s$/;

/** Whether text may stand in an envelope as data, from where it comes back as it was. */
export const isWholeJson = (text: string) => !EDGE_SPACE.test(text) && isJson(text);

/** A head's share of a message, and what escaping can make of one byte of text. */
const HEAD_BYTES = 16 * 1024;
const ESCAPED_BYTES = 6;
const MAX_NUMBER_LENGTH = 256;

function bad(what: string, cause?: unknown): never {
  throw new SSEKifyError('INVALID_ENVELOPE', `an envelope was dropped: ${what}.`, cause === undefined ? {} : { cause });
}

/** Reads what arrived on the channel, which anybody may have written. */
export class EnvelopeReader {
  readonly #maxPayloadBytes: number;
  readonly #canonical: CanonicalReader;

  /** @param numberField - of the data, where a number may stand that has to be seen */
  constructor(maxPayloadBytes: number, numberField?: string) {
    this.#maxPayloadBytes = maxPayloadBytes;
    this.#canonical = new CanonicalReader(numberField);
  }

  /** @throws SSEKifyError INVALID_ENVELOPE */
  read(message: unknown): Received {
    const bytes = this.bytesOf(message);
    return this.readAt(bytes, 0, bytes.length, String(message));
  }

  /** @throws SSEKifyError INVALID_ENVELOPE */
  bytesOf(message: unknown): Buffer {
    if (typeof message !== 'string') bad('it is no string');
    this.#checkSize(message.length);
    return Buffer.from(message);
  }

  /** Whom the event in a message is for, if its envelope looks as ssekify writes it. */
  target(bytes: Buffer, from: number, to: number): HeldScope | undefined {
    return this.#canonical.target(bytes, from, to);
  }

  /** The event whose target was read last, if it can be kept as the bytes it came in. */
  keepable(): CountedSource | undefined {
    return this.#canonical.isKeepable(this.#maxPayloadBytes) ? this.#canonical : undefined;
  }

  /**
   * @param message - the same as text
   * @throws SSEKifyError INVALID_ENVELOPE
   */
  readAt(bytes: Buffer, from: number, to: number, message: string): Received {
    const max = this.#maxPayloadBytes;
    const scope = this.target(bytes, from, to);
    const event = scope === undefined ? undefined : this.#canonical.eventIn(message);
    if (scope !== undefined && event !== undefined && !isTooLarge(event.text, max)) {
      return { scope, event, asText: false };
    }
    this.#checkSize(message.length);
    if (isTooDeep(message)) bad('it is nested too deep');
    return readAnyhow(message, max);
  }

  #checkSize(length: number): void {
    const max = this.#maxPayloadBytes;
    if (max > 0 && length > max * ESCAPED_BYTES + HEAD_BYTES) bad('it is too large');
  }
}

/** Reads an envelope in whatever way it is written. */
function readAnyhow(message: string, maxPayloadBytes: number): Received {
  const parts = partsOf(message);
  try {
    return read(parts, maxPayloadBytes);
  } catch (cause) {
    if (cause instanceof SSEKifyError && cause.code === 'INVALID_ENVELOPE') throw cause;
    return bad(messageOf(cause).replace(/\.$/, ''), cause);
  }
}

const isTooLarge = (text: string, max: number) => max > 0 && text.length * 3 > max && Buffer.byteLength(text) > max;

/** An envelope as an object, where its data may have been left out. */
interface Parts {
  fields: Record<string, unknown>;
  /** The publisher's own text of the data; `undefined` when there is none. */
  dataText: string | undefined;
}

/** Parses an envelope, and finds the publisher's own text of its data. */
function partsOf(message: string): Parts {
  let fields: unknown;
  try {
    fields = JSON.parse(message);
  } catch (cause) {
    return bad('it is no JSON', cause);
  }
  if (!isRecord(fields)) return bad('it is no object');
  return { fields, dataText: fieldText(message, 'data') };
}

/** What languages without `undefined` write for a field that is not there. */
const given = (value: unknown) => (value === null ? undefined : value);

function read({ fields, dataText }: Parts, maxPayloadBytes: number): Received {
  const { type, target, room } = fields;
  const v = given(fields.v);
  const n = given(fields.n);
  const text = given(fields.text);
  if (v !== undefined && v !== 1) bad(`its version is ${show(v)}, not 1`);
  if (n !== undefined && (typeof n !== 'string' || n === '' || n.length > MAX_NUMBER_LENGTH))
    bad('n is no short string');
  if (type === 'close') {
    const reason = given(fields.reason);
    if (reason !== undefined && typeof reason !== 'string') bad('reason is no string');
    return { n, command: { type, target: checkTarget(target), reason } };
  }
  if (type === 'join' || type === 'leave') {
    return { n, command: { type, target: checkTarget(target), room: checkRoom(room) } };
  }
  const scope = scopeOf(type, target);
  const sent = text === undefined ? dataText : text;
  if (typeof sent !== 'string') return bad(text === undefined ? 'it has no data' : 'text is no string');
  if (isTooLarge(sent, maxPayloadBytes)) bad(`its data has more than ${maxPayloadBytes} bytes`);
  const event = given(fields.event);
  const id = given(fields.id);
  const retry = given(fields.retry);
  return {
    n,
    scope,
    asText: text !== undefined,
    again: fields.again === true,
    event: {
      text: sent,
      event: event === undefined ? undefined : checkEvent(event),
      id: id === undefined ? undefined : checkId(id),
      retry: retry === undefined ? undefined : checkRetry(retry),
    },
  };
}

/** What an envelope, which was found good, says of itself. */
export function aboutOf(message: string): Partial<Envelope> {
  const { v, n, at, origin, again } = partsOf(message).fields;
  return {
    ...(v === 1 && { v }),
    ...(typeof n === 'string' && { n }),
    ...(typeof at === 'number' && { at }),
    ...(typeof origin === 'string' && { origin }),
    ...(again === true && { again }),
  };
}

function scopeOf(type: unknown, target: unknown): Scope {
  if (type === 'all') return { kind: 'all' };
  if (type === 'user') return { kind: 'user', name: checkTarget(target) };
  if (type === 'room') return { kind: 'room', name: checkTarget(target) };
  return bad(`type is ${show(type)}`);
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
export function parsed(text: string): unknown {
  try {
    return JSON.parse(text);
  } catch {
    return text;
  }
}
