import { isRecord, refuse } from '../checks.js';
import { reasonOf, SSEKifyError, show } from '../errors.js';
import type { SendOptions } from '../types.js';
import { checkEvent, checkId, checkRetry } from '../wire/fields.js';
import type { WireEvent } from '../wire/frame.js';
import { copyOf } from './copy.js';
import { addFields, isPlainObject, type PlainObject, timestampField } from './fields.js';
import { type NewId, snowflakeIds, timestampIds } from './ids.js';
import type { AutoFieldsSettings, SeqSettings } from './options.js';
import { type SeqTicket, Sequence } from './sequence.js';

/** What the stamper needs of a hub's settings. */
export interface StampSettings {
  autoFields: AutoFieldsSettings;
  enableSeq: boolean;
  seq: SeqSettings;
  serializer: (data: unknown) => unknown;
  maxPayloadBytes: number;
}

/** The checked options of one send. */
export interface Wish {
  event: string | undefined;
  id: string | undefined;
  retry: number | undefined;
  text: boolean;
  /** Its caller goes at the pace of the clients here, which have it only when it came back from the channel. */
  paced?: boolean;
}

/** What an event without options asks for. */
export const NO_WISH: Wish = { event: undefined, id: undefined, retry: undefined, text: false };

/** Checks the options of a send; misuse throws before anything happens. */
export function readSendOptions(options: SendOptions | undefined, data: unknown): Wish {
  if (options === undefined) return NO_WISH;
  if (!isRecord(options)) return refuse('options', options, 'an object');
  const { event, id, retry, text, ...others } = options;
  for (const name of Object.keys(others)) refuse(`options.${name}`, others[name], 'only event, id, retry and text');
  if (text !== undefined && typeof text !== 'boolean') return refuse('options.text', text, 'true or false');
  if (text === true && typeof data !== 'string') {
    throw new SSEKifyError('INVALID_TEXT', `data is ${show(data)}: expected a string, since text is true.`);
  }
  return {
    event: event === undefined ? undefined : checkEvent(event),
    id: id === undefined ? undefined : checkId(id),
    retry: retry === undefined ? undefined : checkRetry(retry),
    text: text === true,
  };
}

/** Bytes of the largest safe integer. */
const MAX_NUMBER_BYTES = 16;

/** An event that is stamped but for its number. */
export interface Draft {
  /** The number it is due; absent when its data has no key. */
  ticket: SeqTicket | undefined;
  /** Absent when it has none, or when it depends on the number. */
  id: string | undefined;
  event: string | undefined;
  retry: number | undefined;
  /** The text before and after the number, when the number can be put in later. */
  around(): { before: string; after: string } | undefined;
  /** The event with this number. */
  render(seq: number | undefined): WireEvent;
  /** Lets it be rendered again later, whatever becomes of the caller's object. */
  keep(): void;
}

/** Turns what a caller sends into what goes on the wire: fields, number, text, id. */
export class Stamper {
  readonly #settings: StampSettings;
  readonly #sequence: Sequence;
  readonly #nextId: NewId | undefined;
  /** Nothing but timestamp and number is added, and nobody looks at the data in between. */
  readonly #appends: boolean;
  /** The number's field, as JSON. */
  readonly #seqName: string;
  readonly #seqNameBytes: number;

  constructor(settings: StampSettings, instanceId: string, now: () => number) {
    this.#settings = settings;
    this.#sequence = new Sequence(settings.seq, now);
    const { frameIdPolicy, nodeId, fieldName, keyExtractor, finalPredicate } = settings.seq;
    const { traceId, requestId } = settings.autoFields;
    this.#seqName = JSON.stringify(fieldName);
    this.#seqNameBytes = Buffer.byteLength(this.#seqName);
    this.#appends =
      settings.serializer === JSON.stringify &&
      typeof frameIdPolicy !== 'function' &&
      keyExtractor === undefined &&
      finalPredicate === undefined &&
      fieldName !== 'timestamp' &&
      traceId.mode === 'off' &&
      requestId.mode === 'off';
    if (frameIdPolicy === 'snowflake') this.#nextId = snowflakeIds(nodeId);
    else if (frameIdPolicy === 'timestamp') this.#nextId = timestampIds(instanceId);
  }

  /** Numbers given on this instance. */
  seqIncrs = 0;

  /**
   * Stamps an event, numbered from memory. `newId` gives its automatic id; without it, it gets none.
   * @throws SSEKifyError when the data cannot be sent
   */
  stamp(data: unknown, wish: Wish, newId?: NewId): WireEvent {
    const now = Date.now();
    if (this.#takesFields(data, wish)) return this.#appended(data, wish, newId, now);
    const fields = wish.text || !isPlainObject(data) ? undefined : this.#withFields(data, now);
    const ticket = fields === undefined ? undefined : this.#ticketOf(fields);
    if (fields !== undefined && ticket !== undefined) fields[this.#settings.seq.fieldName] = ticket.seq;
    const stamped = fields ?? data;
    const text = this.#checkSize(this.#serialize(stamped, wish));
    const id = wish.id ?? (newId === undefined ? undefined : this.#automaticId(stamped, ticket?.seq, newId, now));
    this.#take(ticket);
    return {
      id,
      unique: this.#isUnique(wish),
      event: wish.event,
      retry: wish.retry,
      text,
      json: this.writesJson(wish),
    };
  }

  /** The same, with what is added put behind the text of the data, which needs no copy of the data. */
  #appended(data: PlainObject, wish: Wish, newId: NewId | undefined, now: number): WireEvent {
    // First: data may send under its own key while it is serialized.
    const json = this.#serialize(data, wish);
    const ticket = this.#ticketOf(data);
    let added = timestampField(data, this.#settings.autoFields.timestamp, now);
    if (ticket !== undefined) added += `,${this.#seqName}:${ticket.seq}`;
    const text = append(json, added);
    // What is added is ASCII, then: text that is measured in parts need not be copied into one piece for it.
    const inParts = ticket === undefined || this.#seqName.length === this.#seqNameBytes;
    const bytes = inParts ? Buffer.byteLength(json) + text.length - json.length : Buffer.byteLength(text);
    this.#checkBytes(bytes);
    const id = wish.id ?? newId?.(now);
    this.#take(ticket);
    return { id, unique: wish.id === undefined, event: wish.event, retry: wish.retry, text, bytes, json: true };
  }

  /** Stamps all of an event but its number. @throws SSEKifyError when the data cannot be sent */
  draft(data: unknown, wish: Wish, newId: NewId): Draft {
    const now = Date.now();
    if (this.#takesFields(data, wish)) {
      const draft = this.#appendedDraft(data, wish, newId, now);
      if (draft !== undefined) return draft;
    }
    let fields = wish.text || !isPlainObject(data) ? undefined : this.#withFields(data, now);
    const ticket = fields === undefined ? undefined : this.#ticketOf(fields);
    const { event, retry } = wish;
    const { fieldName, frameIdPolicy } = this.#settings.seq;
    const idFromNumber = wish.id === undefined && typeof frameIdPolicy === 'function';
    const fixedId = wish.id ?? (idFromNumber ? undefined : newId(now));
    const around = () => {
      if (fields === undefined || idFromNumber || this.#settings.serializer !== JSON.stringify) return undefined;
      // An object that says itself how it is written may not end in a brace of its own.
      if (typeof fields.toJSON === 'function' || Object.hasOwn(fields, fieldName)) return undefined;
      const text = append(this.#serialize(fields, wish), `,${this.#seqName}:`);
      this.#checkSize(text, MAX_NUMBER_BYTES);
      return { before: text.slice(0, -1), after: '}' };
    };
    const render = (seq: number | undefined): WireEvent => {
      if (fields !== undefined && ticket !== undefined) fields[fieldName] = seq;
      const stamped = fields ?? data;
      const text = this.#checkSize(this.#serialize(stamped, wish));
      return {
        id: idFromNumber ? this.#automaticId(stamped, seq, newId, now) : fixedId,
        event,
        retry,
        text,
        json: this.writesJson(wish),
      };
    };
    const keep = () => {
      if (fields !== undefined) fields = copyOf(fields);
    };
    return { ticket, id: fixedId, event, retry, around, render, keep };
  }

  /** The same, with what is added put behind the text of the data; `undefined` when that text takes nothing. */
  #appendedDraft(data: PlainObject, wish: Wish, newId: NewId, now: number): Draft | undefined {
    const json = this.#serialize(data, wish);
    if (!json.startsWith('{')) return undefined;
    const ticket = this.#ticketOf(data);
    const { event, retry } = wish;
    const id = wish.id ?? newId(now);
    const stamped = append(json, timestampField(data, this.#settings.autoFields.timestamp, now));
    const around = () => {
      const text = append(stamped, `,${this.#seqName}:`);
      this.#checkSize(text, MAX_NUMBER_BYTES);
      return { before: text.slice(0, -1), after: '}' };
    };
    const render = (seq: number | undefined): WireEvent => {
      const text = this.#checkSize(seq === undefined ? stamped : append(stamped, `,${this.#seqName}:${seq}`));
      return { id, event, retry, text, json: true };
    };
    return { ticket, id, event, retry, around, render, keep: () => undefined };
  }

  /** Whether what is added to the data can be put behind its text. */
  #takesFields(data: unknown, wish: Wish): data is PlainObject {
    return this.#appends && !wish.text && isPlainObject(data) && data.toJSON === undefined;
  }

  /** Whether the text of data is JSON by itself; a custom serializer's, and `text`, may be anything. */
  writesJson(wish: Wish): boolean {
    return !wish.text && this.#settings.serializer === JSON.stringify;
  }

  /** A new automatic id; `undefined` when events get none, or get them from a function. */
  newId(now: number): string | undefined {
    return this.#nextId?.(now);
  }

  /** The next number of a key in memory. */
  nextNumber(key: string): number {
    return this.#sequence.next(key);
  }

  /** A number was taken: the key's counter in memory goes on after it. */
  take(ticket: SeqTicket): void {
    this.#sequence.take(ticket);
  }

  /** Data with a number of its own came from another instance: its key's counter in memory goes on after that. */
  see(data: unknown): void {
    if (!this.#settings.enableSeq || !isPlainObject(data)) return;
    const seen = this.#sequence.numberOf(data);
    if (seen !== undefined) this.#sequence.take(seen);
  }

  /** Serializes what the library itself sends, or sends as a heartbeat: the data and nothing else. */
  plain(data: unknown, event: string): WireEvent {
    return { event, text: this.#checkSize(this.#serialize(data, NO_WISH)) };
  }

  #isUnique(wish: Wish): boolean {
    return wish.id === undefined && typeof this.#settings.seq.frameIdPolicy !== 'function';
  }

  #serialize(data: unknown, wish: Wish): string {
    let text: unknown = data;
    if (!wish.text) {
      try {
        text = this.#settings.serializer(data);
      } catch (cause) {
        throw new SSEKifyError('NOT_SERIALIZABLE', `data (${show(data)}) could not be serialized.`, { cause });
      }
    }
    if (typeof text === 'string') return text;
    throw new SSEKifyError('NOT_SERIALIZABLE', `data (${show(data)}) serializes to no text.`);
  }

  #checkSize(text: string, spareBytes = 0): string {
    const { maxPayloadBytes } = this.#settings;
    // Three bytes a UTF-16 unit is the most UTF-8 needs, so most payloads are not measured twice.
    if (maxPayloadBytes === 0 || text.length * 3 + spareBytes <= maxPayloadBytes) return text;
    this.#checkBytes(Buffer.byteLength(text) + spareBytes);
    return text;
  }

  #checkBytes(bytes: number): void {
    const { maxPayloadBytes } = this.#settings;
    if (maxPayloadBytes === 0 || bytes <= maxPayloadBytes) return;
    throw new SSEKifyError(
      'PAYLOAD_TOO_LARGE',
      `data has ${bytes} UTF-8 bytes as text, more than maxPayloadBytes (${maxPayloadBytes}).`,
    );
  }

  #take(ticket: SeqTicket | undefined): void {
    if (ticket === undefined) return;
    this.take(ticket);
    this.seqIncrs += 1;
  }

  #withFields(data: PlainObject, now: number): PlainObject {
    try {
      return addFields(data, this.#settings.autoFields, now);
    } catch (cause) {
      throw failedFunction('a field', cause);
    }
  }

  #ticketOf(fields: PlainObject): SeqTicket | undefined {
    if (!this.#settings.enableSeq) return undefined;
    try {
      return this.#sequence.ticket(fields);
    } catch (cause) {
      throw failedFunction('seq', cause);
    }
  }

  #automaticId(data: unknown, seq: number | undefined, newId: NewId, now: number): string | undefined {
    const { frameIdPolicy } = this.#settings.seq;
    if (typeof frameIdPolicy !== 'function') return newId(now);
    try {
      const id = frameIdPolicy(data, seq);
      return id === undefined || id === null ? undefined : checkId(id);
    } catch (cause) {
      throw failedFunction('an id', cause);
    }
  }
}

/** Puts fields, each with a comma before it, behind those of an object's JSON text. */
function append(object: string, fields: string): string {
  if (fields === '') return object;
  // What looks like a plain object may be written otherwise: JSON.rawJSON, an array or a boxed number without its prototype.
  if (!object.startsWith('{')) return object;
  return object.length === 2 ? `{${fields.slice(1)}}` : `${object.slice(0, -1)}${fields}}`;
}

function failedFunction(what: string, cause: unknown): SSEKifyError {
  if (cause instanceof SSEKifyError && cause.code === 'REQUEST_ID_REQUIRED') return cause;
  return new SSEKifyError('STAMP_FAILED', `the function that gives ${what} failed: ${reasonOf(cause)}`, { cause });
}
