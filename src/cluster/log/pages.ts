import type { LogPage } from '../../delivery/log/feed.js';
import { nextTurn } from '../../event-loop.js';
import { formatStreamId, type StreamId } from '../../wire/stream-id.js';
import type { Link } from '../link.js';
import { type LogEntry, readEntries } from './entry.js';
import { PageSize } from './page-size.js';

/** A piece of the log. */
export interface Page {
  entries: readonly LogEntry[];
  /** The oldest position of the log after the page was read: of a tick, that of what it follows; `undefined` when it is empty. */
  first: StreamId | undefined;
}

const MAX_READS = 8;

/** Reads older pieces of the log; who asks for the same piece at the same time gets the same one. */
export class Pages {
  readonly #link: Link;
  readonly #key: string;
  readonly #prepare: (page: Page) => LogPage;
  readonly #reading = new Map<string, Promise<LogPage>>();
  readonly #waiting: (() => void)[] = [];
  #reads = 0;
  #lastTurn = Promise.resolve();
  #size = new PageSize();

  /** @param prepare - makes a page ready to be written, once for all who wait for it */
  constructor(link: Link, key: string, prepare: (page: Page) => LogPage) {
    this.#link = link;
    this.#key = key;
    this.#prepare = prepare;
  }

  /** What comes from a position on, the entry that it is of included. */
  from(position: StreamId): Promise<LogPage> {
    const from = formatStreamId(position);
    const present = this.#reading.get(from);
    if (present !== undefined) return present;
    const page = this.#read(from).finally(() => this.#reading.delete(from));
    this.#reading.set(from, page);
    return page;
  }

  /** A few at a time, so that publishes, which share the connection, are not held up. */
  async #read(from: string): Promise<LogPage> {
    if (this.#reads >= MAX_READS) await new Promise<void>((resolve) => this.#waiting.push(resolve));
    this.#reads += 1;
    try {
      const [found, oldest] = await Promise.all([
        this.#link.call('xrange', this.#key, from, '+', 'COUNT', String(this.#size.entries + 1)),
        // Only after it: what is there still was there when the page was read.
        this.#link.call('xrange', this.#key, '-', '+', 'COUNT', '1'),
      ]);
      // One page in a turn: those of many positions come together, and each takes milliseconds.
      this.#lastTurn = this.#lastTurn.then(nextTurn);
      await this.#lastTurn;
      const entries = readEntries(found);
      this.#size.fit(entries);
      const [first] = readEntries(oldest);
      return this.#prepare({ entries, first: first?.since ?? first?.id });
    } catch (error) {
      // It may have been too large for the time there is.
      this.#size = new PageSize();
      throw error;
    } finally {
      this.#reads -= 1;
      this.#waiting.shift()?.();
    }
  }
}
