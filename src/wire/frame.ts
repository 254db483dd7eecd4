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
  /** The event's id; `undefined` when it has none. */
  readonly id: string | undefined;
  /** No other event has this id. */
  readonly unique: boolean;
  /** The instance's number of this frame: what was sent later has the higher one. */
  readonly order: number;
  /** UTF-8 bytes of `text`. */
  readonly byteLength: number;
  /** Length of the `id:` line at the beginning of `text`, in UTF-16 units. */
  readonly #idLength: number;
  #text: string;
  /** The data of an event that is nothing but id and data, until its text is asked for, which may be never. */
  #data: string | undefined;

  constructor(text: string, order: number, id?: string, idLength = 0, unique = false, data?: string) {
    this.#text = text;
    this.#data = data;
    this.byteLength = data === undefined ? Buffer.byteLength(text) : byteLengthOf(id, data);
    this.order = order;
    this.id = id;
    this.unique = unique;
    this.#idLength = idLength;
  }

  get text(): string {
    if (this.#data !== undefined) {
      this.#text = `${idLine(this.id)}data: ${this.#data}\n\n`;
      this.#data = undefined;
    }
    return this.#text;
  }

  /** The same event without its id, for resending it behind the client's cursor. */
  withoutId(): Frame {
    return this.#idLength === 0 ? this : new Frame(this.text.slice(this.#idLength), this.order);
  }
}

const idLine = (id: string | undefined) => (id === undefined ? '' : `id: ${id}\n`);

const byteLengthOf = (id: string | undefined, data: string) =>
  (id === undefined ? 0 : Buffer.byteLength(id) + 'id: \n'.length) + Buffer.byteLength(data) + 'data: \n\n'.length;

const LINE_BREAK = /\r\n|\r|\n/;

function dataLines(text: string): string {
  if (!text.includes('\n') && !text.includes('\r')) return `data: ${text}\n`;
  return `data: ${text.split(LINE_BREAK).join('\ndata: ')}\n`;
}

/** Encodes an event. Text that is not well-formed (a lone surrogate) gets U+FFFD, as UTF-8 encoding does everywhere. */
export function encodeEvent({ id, unique, event, retry, text, json }: WireEvent, order: number): Frame {
  const first = idLine(id);
  if (json === true && event === undefined && retry === undefined) {
    return new Frame(`${first}data: ${text}\n\n`, order, id, first.length, unique);
  }
  let rest = event === undefined || event === '' ? '' : `event: ${event.toWellFormed()}\n`;
  if (retry !== undefined) rest += `retry: ${retry}\n`;
  const data = json === true ? `data: ${text}\n` : dataLines(text.toWellFormed());
  return new Frame(`${first}${rest}${data}\n`, order, id, first.length, unique);
}

/** The same of an event that perhaps nobody here gets: its text is made when it is first read, where that is worth it. */
export function encodeLater(event: WireEvent, order: number): Frame {
  const { id, unique, text } = event;
  if (event.json !== true || event.event !== undefined || event.retry !== undefined) return encodeEvent(event, order);
  return new Frame('', order, id, id === undefined ? 0 : id.length + 'id: \n'.length, unique, text);
}

/** Encodes a comment; no event listener sees it. */
export function encodeComment(text: string): Frame {
  return new Frame(`: ${text.toWellFormed().split(LINE_BREAK).join('\n: ')}\n\n`, 0);
}

/** Encodes a bare reconnection time. */
export function encodeRetry(retryMs: number): Frame {
  return new Frame(`retry: ${retryMs}\n\n`, 0);
}
