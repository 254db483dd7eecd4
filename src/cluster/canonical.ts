import { type CountedId, readCountedId } from '../counted-ids.js';
import type { HeldScope } from '../delivery/recent-buffer.js';
import type { SourceBytes } from '../delivery/recent-frames.js';
import type { WireEvent } from '../wire/frame.js';
import { ASCII, DIGIT, endOf, literal, NAME, PLAIN, QUOTE, standsAt, WORD, ZERO } from './bytes.js';
import { JsonScanner } from './json-bytes.js';
import { KnownScopes } from './known-scopes.js';

const BEGINNING = literal('{"v":1,"n":"');
const FOR_ALL = literal('","type":"all"');
const FOR_USER = literal('","type":"user","target":"');
const FOR_ROOM = literal('","type":"room","target":"');
const EVENT = literal(',"event":"');
const ID = literal(',"id":"');
const RETRY = literal(',"retry":');
const AT = literal(',"at":');
const ORIGIN = literal(',"origin":"');
const DATA = literal('","data":');
const CLOSING_BRACE = 0x7d;

const MAX_SOURCE_DATA_LENGTH = 1024;

/** Whether something has so many bytes. */
const has = (from: number, to: number, least: number, most: number) => to - from >= least && to - from <= most;

/** An event as the bytes it came in, with an id that counts. */
export interface CountedSource extends SourceBytes {
  readonly id: CountedId;
  event(): WireEvent;
}

/**
 * Reads events whose envelopes look as ssekify writes them, in one pass over the bytes, and makes nothing of it but what it is
 * asked for. Of all others, and of those whose data is not good, it says nothing: they are read the long way, which
 * understands these just the same.
 */
export class CanonicalReader implements CountedSource {
  id: CountedId = { time: 0, origin: '', counter: 0 };
  bytes: Buffer = Buffer.alloc(0);
  from = 0;
  to = 0;
  byteLength = 0;
  readonly #users = new KnownScopes('user');
  readonly #rooms = new KnownScopes('room');
  readonly #json: JsonScanner;
  #beginning = 0;
  #scope: HeldScope | undefined;
  #areRead: boolean | undefined;
  #isAscii = false;
  #eventFrom = 0;
  #eventTo = 0;
  #idFrom = 0;
  #idTo = 0;
  #retry = '';
  #dataFrom = 0;

  /** @param numberField - data that may have it is not kept as bytes */
  constructor(numberField?: string) {
    this.#json = new JsonScanner(numberField);
  }

  /** Whom a message is for; `undefined` when it does not look as expected up to there. */
  target(bytes: Buffer, from: number, to: number): HeldScope | undefined {
    // It is asked for a second time of what is not kept.
    if (this.bytes !== bytes || this.#beginning !== from) {
      this.bytes = bytes;
      this.#beginning = from;
      this.to = to - 1;
      this.#areRead = undefined;
      this.#scope = this.#readTarget(bytes, from);
    }
    return this.#scope;
  }

  /** Whether the event can be kept as the bytes it came in: its id counts, and its data has no number that has to be seen. */
  isKeepable(maxPayloadBytes: number): boolean {
    if (!this.#fields() || !this.#hasSource || this.#json.hasField) return false;
    if (maxPayloadBytes > 0 && this.to - this.#dataFrom > maxPayloadBytes) return false;
    const id = readCountedId(this.bytes, this.#idFrom, this.#idTo);
    if (id !== undefined) this.id = id;
    return id !== undefined;
  }

  /** The event in a message, which is given as text; `undefined` when it is not as expected. */
  eventIn(message: string): WireEvent | undefined {
    if (!this.#fields()) return undefined;
    if (this.#hasSource) return this.#sourceEvent(message, message.length - 1 - this.to);
    const { bytes } = this;
    return {
      id: bytes.toString('latin1', this.#idFrom, this.#idTo),
      event: this.#hasEvent ? bytes.toString('utf8', this.#eventFrom, this.#eventTo) : undefined,
      retry: this.#retryMs,
      text: bytes.toString('utf8', this.#dataFrom, this.to),
      json: true,
    };
  }

  /** The event, where it is keepable. */
  event(): WireEvent {
    return this.#sourceEvent(this.bytes.toString('latin1', this.from, this.to), -this.from);
  }

  /** Reads again what was kept as {@link WireEvent.source}. */
  restore(source: string): WireEvent {
    this.bytes = Buffer.from(source, 'latin1');
    this.from = 0;
    this.to = source.length;
    this.#readFields();
    return this.#sourceEvent(source, 0);
  }

  #readTarget(bytes: Buffer, from: number): HeldScope | undefined {
    if (!standsAt(bytes, from, BEGINNING) || bytes[this.to] !== CLOSING_BRACE) return undefined;
    const n = from + BEGINNING.length;
    const end = endOf(WORD, bytes, n);
    if (!has(n, end, 1, 64)) return undefined;
    if (standsAt(bytes, end, FOR_USER)) return this.#named(this.#users, end + FOR_USER.length);
    if (standsAt(bytes, end, FOR_ROOM)) return this.#named(this.#rooms, end + FOR_ROOM.length);
    this.from = end + FOR_ALL.length;
    return standsAt(bytes, end, FOR_ALL) ? { kind: 'all' } : undefined;
  }

  /** Reads what stands behind the target. @returns whether it is as expected */
  #fields(): boolean {
    this.#areRead ??= this.#readFields();
    return this.#areRead;
  }

  #readFields(): boolean {
    const { bytes } = this;
    let length = 'id: \ndata: \n\n'.length;
    this.#isAscii = true;
    let at = this.from;
    this.#eventFrom = at;
    this.#eventTo = at;
    if (standsAt(bytes, at, EVENT)) {
      this.#eventFrom = at + EVENT.length;
      at = this.#plainEnd(this.#eventFrom);
      this.#eventTo = at;
      if (bytes[at] !== QUOTE || !has(this.#eventFrom, at, 0, 64)) return false;
      if (at > this.#eventFrom) length += at - this.#eventFrom + 'event: \n'.length;
      at += 1;
    }
    if (!standsAt(bytes, at, ID)) return false;
    this.#idFrom = at + ID.length;
    at = endOf(WORD, bytes, this.#idFrom);
    this.#idTo = at;
    if (bytes[at] !== QUOTE || !has(this.#idFrom, at, 1, 128)) return false;
    length += at - this.#idFrom;
    at += 1;
    this.#retry = '';
    if (standsAt(bytes, at, RETRY)) {
      const from = at + RETRY.length;
      at = endOf(DIGIT, bytes, from);
      if (!has(from, at, 1, 9) || (bytes[from] === ZERO && at > from + 1)) return false;
      this.#retry = bytes.toString('latin1', from, at);
      length += at - from + 'retry: \n'.length;
    }
    if (!standsAt(bytes, at, AT)) return false;
    let from = at + AT.length;
    at = endOf(DIGIT, bytes, from);
    if (!has(from, at, 1, 16) || bytes[from] === ZERO || !standsAt(bytes, at, ORIGIN)) return false;
    from = at + ORIGIN.length;
    at = endOf(NAME, bytes, from);
    if (!has(from, at, 1, 64) || !standsAt(bytes, at, DATA)) return false;
    this.#dataFrom = at + DATA.length;
    this.byteLength = length + this.to - this.#dataFrom;
    if (this.#json.end(bytes, this.#dataFrom, ASCII) === this.to) return true;
    this.#isAscii = false;
    return this.#json.end(bytes, this.#dataFrom, PLAIN) === this.to;
  }

  get #hasSource(): boolean {
    return this.#isAscii && this.to - this.#dataFrom <= MAX_SOURCE_DATA_LENGTH;
  }

  get #hasEvent(): boolean {
    return this.#eventFrom > this.from;
  }

  get #retryMs(): number | undefined {
    return this.#retry === '' ? undefined : Number(this.#retry);
  }

  /** @param shift - from a place in the bytes to that in the text */
  #sourceEvent(text: string, shift: number): WireEvent {
    const piece = (from: number, to: number) => text.slice(from + shift, to + shift);
    return {
      id: piece(this.#idFrom, this.#idTo),
      event: this.#hasEvent ? piece(this.#eventFrom, this.#eventTo) : undefined,
      retry: this.#retryMs,
      text: piece(this.#dataFrom, this.to),
      bytes: this.to - this.#dataFrom,
      json: true,
      source: piece(this.from, this.to),
    };
  }

  #plainEnd(from: number): number {
    const end = endOf(ASCII, this.bytes, from);
    const plainEnd = endOf(PLAIN, this.bytes, end);
    if (plainEnd > end) this.#isAscii = false;
    return plainEnd;
  }

  #named(scopes: KnownScopes, from: number): HeldScope | undefined {
    const end = endOf(PLAIN, this.bytes, from);
    this.from = end + 1;
    return this.bytes[end] === QUOTE ? scopes.find(this.bytes, from, end) : undefined;
  }
}

const again = new CanonicalReader();

/** Reads again what is kept as a {@link WireEvent.source}. */
export const eventOf = (source: string): WireEvent => again.restore(source);
