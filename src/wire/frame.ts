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
  /** The text is what `JSON.stringify` wrote: it has no line break and no lone surrogate. */
  json?: boolean;
}

/**
 * One encoded event, immutable and shared by reference between replay and every queue. It is kept as text, which costs a
 * fraction of a small Buffer (that pins an 8 KiB pool) and is written straight from the heap when one client gets it; the
 * flusher makes one Buffer when several do.
 */
export class Frame {
  /** No other event has this id. */
  readonly unique: boolean;
  /** The instance's number of this frame: what was sent later has the higher one. */
  readonly order: number;
  /** UTF-8 bytes of `text`. */
  readonly byteLength: number;
  #text: string;
  /** The data of an event that is nothing but id and data, until its text is asked for, which may be never. */
  #data: string | undefined;
  /** The id; or its length, when it is only read from the text: then nothing but the text is kept. */
  readonly #id: string | number | undefined;

  constructor(text: string, order: number, id?: string | number, unique = false, data?: string) {
    this.#text = text;
    this.#data = data;
    this.byteLength = data === undefined ? Buffer.byteLength(text) : byteLengthOf(id, data);
    this.order = order;
    this.#id = id;
    this.unique = unique;
  }

  /** A frame from its text, which begins with a unique id that tells its place. */
  static placed(text: string, order: number): Frame {
    return new Frame(text, order, text.indexOf('\n') - ID_FIELD.length, true);
  }

  get text(): string {
    if (this.#data !== undefined) {
      this.#text = `${this.id === undefined ? '' : idLine(this.id)}data: ${this.#data}\n\n`;
      this.#data = undefined;
    }
    return this.#text;
  }

  /** The event's id; `undefined` when it has none. Kept long, it may keep the text. */
  get id(): string | undefined {
    return typeof this.#id === 'number' ? this.text.slice(ID_FIELD.length, ID_FIELD.length + this.#id) : this.#id;
  }

  /** The length of an id that is read from the text; `undefined` when there is none. */
  get idLength(): number | undefined {
    return typeof this.#id === 'number' ? this.#id : undefined;
  }

  get hasId(): boolean {
    return this.#id !== undefined;
  }

  /** The same event without its id, for resending it behind the client's cursor. */
  withoutId(): Frame {
    return this.id === undefined ? this : new Frame(this.text.slice(idLine(this.id).length), this.order);
  }
}

/** The longest data whose frame's id is read from the text: who keeps such an id keeps the text. */
const READ_FROM = 1024;

const ID_FIELD = 'id: ';

const idLine = (id: string) => `${ID_FIELD}${id}\n`;

const byteLengthOf = (id: string | number | undefined, data: string) =>
  (typeof id === 'string' ? Buffer.byteLength(id) + 'id: \n'.length : 0) +
  Buffer.byteLength(data) +
  'data: \n\n'.length;

const LINE_BREAK = /\r\n|\r|\n/;

function dataLines(text: string): string {
  if (!text.includes('\n') && !text.includes('\r')) return `data: ${text}\n`;
  return `data: ${text.split(LINE_BREAK).join('\ndata: ')}\n`;
}

/**
 * Encodes an event. Text that is not well-formed (a lone surrogate) gets U+FFFD, as UTF-8 encoding does everywhere.
 * @param placed - a unique id tells its place by itself, and nobody else keeps it: then the frame keeps it in its text only
 */
export function encodeEvent({ id, unique, event, retry, text, json }: WireEvent, order: number, placed = false): Frame {
  const kept = placed && unique === true && text.length <= READ_FROM ? id?.length : id;
  if (json === true && event === undefined && retry === undefined && id !== undefined) {
    return new Frame(`id: ${id}\ndata: ${text}\n\n`, order, kept, unique);
  }
  let rest = event === undefined || event === '' ? '' : `event: ${event.toWellFormed()}\n`;
  if (retry !== undefined) rest += `retry: ${retry}\n`;
  const data = json === true ? `data: ${text}\n` : dataLines(text.toWellFormed());
  return new Frame(`${id === undefined ? '' : idLine(id)}${rest}${data}\n`, order, kept, unique);
}

/** The same of an event that perhaps nobody here gets: its text is made when it is first read, where that is worth it. */
export function encodeLater(event: WireEvent, order: number): Frame {
  const { id, unique, text } = event;
  if (event.json !== true || event.event !== undefined || event.retry !== undefined) return encodeEvent(event, order);
  return new Frame('', order, id, unique, text);
}

/** Encodes a comment; no event listener sees it. */
export function encodeComment(text: string): Frame {
  return new Frame(`: ${text.toWellFormed().split(LINE_BREAK).join('\n: ')}\n\n`, 0);
}

/** Encodes a bare reconnection time. */
export function encodeRetry(retryMs: number): Frame {
  return new Frame(`retry: ${retryMs}\n\n`, 0);
}
