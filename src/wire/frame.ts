import { sizeLine } from './chunked-coding.js';

/**
 * The event stream format of the HTML standard, section 9.2 "Server-sent events".
 * @see https://html.spec.whatwg.org/multipage/server-sent-events.html#event-stream-interpretation
 */

/** What goes on the wire for one event; the fields are checked before they get here. */
export interface WireEvent {
  id?: string | undefined;
  /** The id is an automatic one of this instance, which no other event has. */
  unique?: boolean;
  event?: string | undefined;
  retry?: number | undefined;
  /** The data, already text. */
  text: string;
  /** UTF-8 bytes of the text, where they are known. */
  bytes?: number | undefined;
  /** ASCII that it was read from, and can be read from again. */
  source?: string | undefined;
  /** The text is what `JSON.stringify` wrote: it has no line break and no lone surrogate. */
  json?: boolean;
}

/**
 * One encoded event, immutable but for the form its text is held in, and shared by reference between replay and every queue.
 * It is kept as text, which costs a fraction of a small Buffer (that pins an 8 KiB pool) and is written straight from the
 * heap when one client gets it; the flusher makes one Buffer when several do. Text that nobody asks for is never put together.
 */
export class Frame {
  /** No other event has this id. */
  readonly unique: boolean;
  /** The id, which is unique, tells the event's place by itself: nobody needs to remember it beside the text. */
  readonly placed: boolean;
  readonly hasId: boolean;
  /** The instance's number of this frame: what was sent later has the higher one. */
  readonly order: number;
  /** UTF-8 bytes of `text`. */
  readonly byteLength: number;
  /** ASCII that a placed one can be made of again. */
  readonly source: string | undefined;
  /** Empty while it is not put together out of the event, or the chunk is kept. */
  #text: string;
  #event: WireEvent | undefined;
  #id: string | undefined;
  #chunk: string | undefined;

  private constructor(order: number, byteLength: number, text: string, kind?: Kind, id?: string, event?: WireEvent) {
    this.order = order;
    this.byteLength = byteLength;
    this.unique = kind !== undefined;
    this.placed = kind === 'placed';
    this.source = event?.source;
    this.hasId = this.placed || id !== undefined;
    this.#text = text;
    this.#event = event;
    this.#id = id;
  }

  /** @param id - of a placed one it is read from the text when it is not given */
  static ofText(text: string, order: number, kind?: Kind, id?: string): Frame {
    return new Frame(order, Buffer.byteLength(text), text, kind, id);
  }

  /** A placed one of ASCII again, out of its chunk. */
  static ofChunk(chunk: string, byteLength: number, order: number): Frame {
    return Frame.ofText(textIn(chunk, byteLength), order, 'placed');
  }

  /** @param event - whose data is one line; `bytes` are those of all lines */
  static ofEvent(event: WireEvent, bytes: number, order: number, kind?: Kind): Frame {
    return new Frame(order, bytes, '', kind, event.id, event);
  }

  get text(): string {
    if (this.#chunk !== undefined) return textIn(this.#chunk, this.byteLength);
    if (this.#event !== undefined) {
      this.#text = `${headOf(this.#event)}data: ${this.#event.text}\n\n`;
      this.#event = undefined;
    }
    return this.#text;
  }

  /** The text as a chunk of an HTTP/1.1 body. */
  get chunk(): string {
    return this.#chunk ?? `${sizeLine(this.byteLength)}${this.text}\r\n`;
  }

  /** Keeps the chunk of an ASCII frame in the place of its text; else it is put together whenever it is asked for. */
  keepChunk(): string {
    const { chunk } = this;
    this.#chunk = chunk;
    this.#text = '';
    return chunk;
  }

  /** Bytes equal UTF-16 units only in ASCII. */
  get ascii(): boolean {
    return this.source !== undefined || this.#chunk !== undefined || this.text.length === this.byteLength;
  }

  /** The event's id; `undefined` when it has none. */
  get id(): string | undefined {
    if (this.placed && this.#id === undefined) return this.text.slice(ID_FIELD.length, this.text.indexOf('\n'));
    return this.#id;
  }

  /** The same event without its id, which it has, for resending it behind the client's cursor. */
  withoutId(): Frame {
    const { text } = this;
    return Frame.ofText(text.slice(text.indexOf('\n') + 1), this.order);
  }

  /** The same event in as little memory as it can be kept in. */
  compact(): Frame {
    return this.placed ? Frame.ofText(this.text, this.order, 'placed') : this;
  }
}

type Kind = 'unique' | 'placed';

/** What stands in a chunk of ASCII. */
const textIn = (chunk: string, byteLength: number) => chunk.slice(sizeLine(byteLength).length, -'\r\n'.length);

/** The longest data of a frame whose id is read from its text: who keeps such an id keeps the text. */
const COMPACTED_UP_TO = 1024;

const ID_FIELD = 'id: ';
const AROUND_ID = 'id: \n'.length;
const AROUND_EVENT = 'event: \n'.length;
const AROUND_RETRY = 'retry: \n'.length;
const AROUND_DATA = 'data: \n\n'.length;

const idLine = (id: string) => `${ID_FIELD}${id}\n`;

const LINE_BREAK = /\r\n|\r|\n/;

function dataLines(text: string): string {
  if (!text.includes('\n') && !text.includes('\r')) return `data: ${text}\n`;
  return `data: ${text.split(LINE_BREAK).join('\ndata: ')}\n`;
}

/**
 * Encodes an event. Text that is not well-formed (a lone surrogate) gets U+FFFD, as UTF-8 encoding does everywhere.
 * @param placed - unique ids tell their place
 */
export function encodeEvent(wire: WireEvent, order: number, placed = false): Frame {
  const { id, unique, text, json } = wire;
  const isUnique = unique === true && id !== undefined;
  const tellsPlace = placed && isUnique && text.length <= COMPACTED_UP_TO;
  const kind = tellsPlace ? 'placed' : isUnique ? 'unique' : undefined;
  if (json !== true) return Frame.ofText(`${headOf(wire)}${dataLines(text.toWellFormed())}\n`, order, kind, id);
  const bytes = headBytes(wire, tellsPlace) + (wire.bytes ?? Buffer.byteLength(text)) + AROUND_DATA;
  return Frame.ofEvent(wire, bytes, order, kind);
}

/** The lines before the data. */
function headOf({ id, event, retry }: WireEvent): string {
  let head = id === undefined ? '' : idLine(id);
  if (event) head += `event: ${event.toWellFormed()}\n`;
  return retry === undefined ? head : `${head}retry: ${retry}\n`;
}

/** The bytes of the lines before the data, which are not put together for it. */
function headBytes({ id, event, retry, source }: WireEvent, hasAsciiId: boolean): number {
  let bytes = id === undefined ? 0 : (hasAsciiId ? id.length : Buffer.byteLength(id)) + AROUND_ID;
  if (event) bytes += (source === undefined ? Buffer.byteLength(event) : event.length) + AROUND_EVENT;
  return retry === undefined ? bytes : bytes + String(retry).length + AROUND_RETRY;
}

/** Encodes a comment; no event listener sees it. */
export function encodeComment(text: string): Frame {
  return Frame.ofText(`: ${text.toWellFormed().split(LINE_BREAK).join('\n: ')}\n\n`, 0);
}

/** Encodes a bare reconnection time. */
export function encodeRetry(retryMs: number): Frame {
  return Frame.ofText(`retry: ${retryMs}\n\n`, 0);
}
