import type { Clock, Wakeable } from '../../delivery/clock.js';
import type { LogPage } from '../../delivery/log/feed.js';
import { SSEKifyError } from '../../errors.js';
import { BEGINNING, parseStreamId, type StreamId } from '../../wire/stream-id.js';
import { type BusStats, NOTHING_COUNTED } from '../bus-stats.js';
import { Gate } from '../gate.js';
import type { ReplicatedLink } from '../link.js';
import { Outage } from '../outage.js';
import { Waiters } from '../waiters.js';
import { Answers } from './answers.js';
import type { LogEntry } from './entry.js';
import { type LogKeys, logKeys } from './keys.js';
import { type Page, Pages } from './pages.js';
import type { LogSource } from './redis-stream.js';
import { Replicas } from './replicas.js';
import { APPEND, TICK } from './scripts.js';
import { Tail, type TailHost } from './tail.js';

/** Whom the bus tells. */
export interface LogBusHost {
  /** Where the log ended when it was first seen. */
  began(end: StreamId): void;
  /** Entries of the log, in order; `lost`: some are missing right before them. */
  read(entries: readonly LogEntry[], lost: boolean): Promise<void>;
  /** All that is in the log was read. */
  caughtUp(): void;
  /** What was the end of the log a moment ago; `asked`: the number of the question it answers. */
  ended(end: StreamId, asked: number): void;
  /** Makes an older piece of the log ready to be written. */
  page(page: Page): LogPage;
  error(error: SSEKifyError): void;
}

/** An event to append. */
export interface Append {
  /** The message up to its sequence number, or all of it. */
  before: string;
  /** The message from the number on. */
  after: string;
  /** The publish key. */
  key: string | undefined;
  /** The counter the number comes from. */
  counter?: { name: string; startAt: number; floor: number; ttlMs: number; expected: number | undefined } | undefined;
}

/** What became of it. */
export interface Appended {
  /** `undefined` when the expected number did not hold, and nothing was done. */
  id: string | undefined;
  /** The sequence number it got, or would have got. */
  seq: number | undefined;
  /** Events of the log up to it; 0 when nothing was appended. */
  n: number;
}

const TICK_MS = 1000;
/** A little less than between ticks, so that an instance that comes a moment early does not leave one out. */
const TICK_LOCK_MS = 900;
const MAX_MISSED = 3;
/** Ticks that may be due while one is unanswered: as long as a publish waits. */
const MAX_UNANSWERED = 5;

/** One instance's ways to the log: it appends, follows, and makes sure by ticks that following works. */
export class LogBus implements Wakeable {
  wakeSlot: number | undefined;
  readonly pages: Pages;
  readonly #keys: LogKeys;
  readonly #source: LogSource;
  readonly #host: LogBusHost;
  readonly #clock: Clock;
  readonly #link: ReplicatedLink;
  readonly #gate = new Gate();
  readonly #tailLink: ReplicatedLink;
  readonly #tail: Tail;
  readonly #replicas: Replicas | undefined;
  readonly #answers: Answers;
  readonly #counters = { ...NOTHING_COUNTED };
  #state: 'connecting' | 'up' | 'down' = 'connecting';
  #followed = false;
  /** Times the connection to publish on came or went. */
  #openings = 0;
  #closed = false;
  /** Rounds of the clock since the last tick. */
  #missed = 0;
  #asked = 0;
  /** The end of the log a moment ago. */
  #end = BEGINNING;
  /** Ticks that were due since one was sent that is not answered. */
  #unanswered: number | undefined;
  entriesRead = 0;
  readonly #outage: Outage;
  readonly #whenUp = new Waiters();

  constructor(source: LogSource, channel: string, clock: Clock, host: LogBusHost) {
    this.#source = source;
    this.#host = host;
    this.#clock = clock;
    this.#outage = new Outage('log', (error) => host.error(error));
    this.#answers = new Answers(clock);
    this.#keys = logKeys(channel);
    this.#link = source.open();
    this.pages = new Pages(this.#link, this.#keys.log, (page) => host.page(page));
    this.#replicas = source.settings.durable ? new Replicas(this.#link, this.#keys.log) : undefined;
    this.#link.listen({
      ready: () => this.#open(),
      lost: () => {
        this.#openings += 1;
        this.#gate.shut();
        this.#down('the connection to publish on was lost');
      },
      error: (cause) => this.#onError(cause),
    });
    this.#tailLink = source.open();
    this.#tail = new Tail(this.#tailLink, this.#keys, source.settings, this.#tailHost());
    clock.wakeAt(this, clock.now() + TICK_MS);
  }

  /** What the ids of the log's ticks end with. */
  get tickSeq(): number {
    return this.#keys.tickSeq;
  }

  /** How many ends of the log have been asked for. */
  get asked(): number {
    return this.#asked;
  }

  get lagMs(): number {
    return Math.max(0, this.#end.ms - this.#tail.position.ms);
  }

  stats(): BusStats {
    return { state: this.#state, ...this.#counters, pending: this.#answers.size };
  }

  ready(): Promise<void> {
    if (this.#state === 'up') return Promise.resolve();
    return this.#whenUp.add();
  }

  /** Appends an event. Rejects when the log did not take it, or did not say so in time. */
  async append({ before, after, key, counter }: Append): Promise<Appended> {
    const { log, count, once, counter: nameOf } = this.#keys;
    const { maxEvents, windowMs } = this.#source.settings;
    const { startAt = '', floor = 0, ttlMs = 0, expected = '' } = counter ?? {};
    // While a Cluster moves their slot it refuses what names both keys that are there and keys that are not.
    const keys = [log, count, key === undefined ? count : once(key), counter ? nameOf(counter.name) : count];
    const [known, knownMs] = this.#tail.known;
    const limits = [known, knownMs, String(maxEvents), String(windowMs)];
    const numbering = [startAt, floor, ttlMs, expected].map(String);
    const args = [...keys, ...limits, before, after, key === undefined ? '' : '1', ...numbering];
    const appending = this.#gate.pass(() => this.#link.call('eval', APPEND, '4', ...args), readAppended);
    const appended = await this.#answers.within(this.#replicas === undefined ? appending : this.#kept(appending));
    const { id, n } = appended;
    if (id === undefined) return appended;
    this.#counters.published += 1;
    this.#tail.expect(id, n);
    return appended;
  }

  failed(outcome: 'refused' | 'unknown'): void {
    this.#counters[outcome === 'refused' ? 'refused' : 'unanswered'] += 1;
  }

  invalid(): void {
    this.#counters.invalid += 1;
  }

  /** Resolves when all that was appended has its answer. */
  async settled(): Promise<void> {
    await this.#answers.settled();
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const over = new SSEKifyError('SHUTDOWN', 'the hub was shut down.');
    this.#whenUp.reject(over);
    this.#clock.cancel(this);
    this.#answers.end(over);
    this.#source.release(this.#link);
    this.#tail.end();
    this.#source.release(this.#tailLink);
  }

  wake(now: number): number | undefined {
    if (this.#closed) return undefined;
    this.#watch();
    if (this.#gate.isOpen) this.#tick();
    return now + TICK_MS;
  }

  /** With durability an answer counts only once a replica has what was written before it. */
  async #kept(appending: Promise<Appended>): Promise<Appended> {
    const appended = await appending;
    await this.#replicas?.have();
    return appended;
  }

  /** A client of a Cluster connects to a node with the first command for it, and those sent meanwhile fail. */
  #open(): void {
    this.#openings += 1;
    const opening = this.#openings;
    const open = () => {
      if (opening !== this.#openings) return;
      this.#gate.open();
      this.#lookIfUp();
    };
    if (this.#link.cluster) this.#link.call('get', this.#keys.tick).then(open, open);
    else open();
  }

  #tick(): void {
    if (this.#unanswered !== undefined) {
      this.#unanswered += 1;
      if (this.#unanswered < MAX_UNANSWERED) return;
      // Its other end is gone without a word; what waits on it fails now.
      this.#unanswered = 0;
      this.#link.renew();
      return;
    }
    this.#unanswered = 0;
    this.#asked += 1;
    const asked = this.#asked;
    const { log, count, tick, tickSeq } = this.#keys;
    const { maxEvents, windowMs } = this.#source.settings;
    const numbers = [tickSeq, maxEvents, windowMs].map(String);
    const args = [...this.#tail.known, String(TICK_LOCK_MS), '', ...numbers];
    const answered = this.#link.call('eval', TICK, '3', log, count, tick, ...args).finally(() => {
      this.#unanswered = undefined;
    });
    answered.then(
      (answer) => {
        const end = parseStreamId(String(answer));
        if (end === undefined || this.#closed) return;
        this.#end = end;
        this.#host.ended(end, asked);
      },
      (cause: unknown) => this.#onError(cause),
    );
  }

  /** Without ticks following has stopped, whatever its connection says. */
  #watch(): void {
    this.#missed += 1;
    if (this.#missed <= MAX_MISSED) return;
    this.#missed = 0;
    this.#down('no sign of life came through the log');
    // One that is not there is being made; to begin again and again would never let it.
    if (this.#tailLink.alive) this.#tail.renew();
  }

  #tailHost(): TailHost {
    return {
      began: (end) => this.#host.began(end),
      read: (entries, lost) => {
        this.entriesRead += entries.length;
        this.#counters.received += entries.filter(({ kind }) => kind === 'event').length;
        // Ticks come too late, or not at all, while a long history is read.
        this.#missed = 0;
        this.#lookIfUp();
        return this.#host.read(entries, lost);
      },
      up: () => {
        this.#followed = true;
        this.#missed = 0;
        this.#host.caughtUp();
        this.#lookIfUp();
      },
      down: () => {
        this.#followed = false;
        this.#down('the log cannot be followed');
      },
      error: (error) => this.#onError(error),
    };
  }

  #lookIfUp(): void {
    if (this.#closed || this.#state === 'up' || !this.#followed || !this.#gate.isOpen) return;
    this.#state = 'up';
    this.#outage.over();
    this.#whenUp.resolve();
  }

  #down(why: string): void {
    if (this.#closed || this.#state !== 'up') return;
    this.#state = 'down';
    this.#counters.outages += 1;
    this.#outage.warn('BUS_DOWN', `${why}; clients wait for what is published until it is back.`);
  }

  #onError(cause: unknown): void {
    if (!this.#closed) this.#outage.failed(cause);
  }
}

function readAppended(answer: unknown): Appended {
  if (Array.isArray(answer)) {
    const [what, id, seq, n = 0] = answer.map(String);
    const number = seq === undefined || seq === '' ? undefined : Number(seq);
    if (what === '0') return { id: undefined, seq: number, n: 0 };
    if (id !== undefined && parseStreamId(id) !== undefined) return { id, seq: number, n: Number(n) };
  }
  throw new Error(`the script answered ${JSON.stringify(answer)}`);
}
