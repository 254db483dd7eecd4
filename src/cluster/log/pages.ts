import { formatStreamId, type StreamId } from '../../wire/stream-id.js';
import type { Link } from '../link.js';
import { type LogEntry, readEntries } from './entry.js';

/** A piece of the log. */
export interface Page {
  entries: readonly LogEntry[];
  /** The oldest entry of the log after the page was read; `undefined` when it is empty. */
  first: StreamId | undefined;
}

const MAX_ENTRIES = 500;
const MIN_ENTRIES = 10;
/** What a slow client may keep in memory while it reads. */
const PAGE_BYTES = 1024 * 1024;
const MAX_READS = 8;

/** Reads older pieces of the log; who asks for the same piece at the same time gets the same one. */
export class Pages {
  readonly #link: Link;
  readonly #key: string;
  readonly #reading = new Map<string, Promise<Page>>();
  readonly #waiting: (() => void)[] = [];
  #reads = 0;
  /** Entries of a page, by how large those of the last one were. */
  #count = MAX_ENTRIES;

  constructor(link: Link, key: string) {
    this.#link = link;
    this.#key = key;
  }

  /** What comes after a position. */
  after(position: StreamId): Promise<Page> {
    const from = formatStreamId(position);
    const present = this.#reading.get(from);
    if (present !== undefined) return present;
    const page = this.#read(from).finally(() => this.#reading.delete(from));
    this.#reading.set(from, page);
    return page;
  }

  /** A few at a time, so that publishes, which share the connection, are not held up. */
  async #read(from: string): Promise<Page> {
    if (this.#reads >= MAX_READS) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#reads += 1;
    const count = this.#count;
    try {
      const [found, oldest] = await Promise.all([
        this.#link.call('xrange', this.#key, `(${from}`, '+', 'COUNT', String(count)),
        // Only after it: what is there still was there when the page was read.
        this.#link.call('xrange', this.#key, '-', '+', 'COUNT', '1'),
      ]);
      const entries = readEntries(found);
      this.#fit(entries);
      return { entries, first: readEntries(oldest)[0]?.id };
    } finally {
      this.#reads -= 1;
      this.#waiting.shift()?.();
    }
  }

  #fit(entries: readonly LogEntry[]): void {
    const length = entries.reduce((sum, { message }) => sum + (message?.length ?? 0), 0);
    const count = Math.floor((PAGE_BYTES * entries.length) / Math.max(1, length));
    if (entries.length > 0) this.#count = Math.max(MIN_ENTRIES, Math.min(MAX_ENTRIES, count));
  }
}
