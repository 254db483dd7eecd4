import { BEGINNING, compareStreamIds, formatStreamId, parseStreamId, type StreamId } from '../../wire/stream-id.js';
import type { ReplicatedLink } from '../link.js';
import { type LogEntry, readEntries, readStream } from './entry.js';
import type { LogKeys } from './keys.js';
import { PageSize } from './page-size.js';
import type { RedisStreamSettings } from './redis-stream.js';
import { TICK } from './scripts.js';

/** Whom the tail tells. */
export interface TailHost {
  /** Where the log ended when it was first seen; what comes up to there is history. */
  began(end: StreamId): void;
  /** Entries came, in order. `lost`: right before the first of them entries are missing. */
  read(entries: readonly LogEntry[], lost: boolean): Promise<void>;
  /** Everything that is in the log has been read. */
  up(): void;
  /** The log cannot be read at the moment. */
  down(): void;
  error(error: unknown): void;
}

const BLOCK_MS = 1000;
const AGAIN_MS = 200;

/** Follows the log on a connection of its own, from where it is, and again from there after every trouble. */
export class Tail {
  readonly #link: ReplicatedLink;
  readonly #keys: LogKeys;
  readonly #host: TailHost;
  readonly #settings: RedisStreamSettings;
  #position = BEGINNING;
  #n: number | undefined;
  /** The newest event that the log is known to have had, whether or not it was read. */
  #had = { n: 0, name: '' };
  #began = false;
  /** Counts attempts, so that an answer to an earlier one, which may come late or never, is not taken for this one's. */
  #run = 0;
  #again: NodeJS.Timeout | undefined;
  #over = false;
  #handing: Promise<void> = Promise.resolve();
  /** The log has entries that are not counted. */
  #strange = false;
  /** Another than the one that is known began to count: the log has to be marked. */
  #doubted = false;

  constructor(link: ReplicatedLink, keys: LogKeys, settings: RedisStreamSettings, host: TailHost) {
    this.#link = link;
    this.#keys = keys;
    this.#settings = settings;
    this.#host = host;
    link.listen({
      ready: () => this.#begin(),
      lost: () => this.#stop(),
      error: (error) => host.error(error),
    });
  }

  /** The newest entry that was read. */
  get position(): StreamId {
    return this.#position;
  }

  /** What is known of the log, as the scripts want it. */
  get known(): [n: string, ms: string, seq: string] {
    return [String(Math.max(this.#n ?? 0, this.#had.n)), String(this.#position.ms), String(this.#position.seq)];
  }

  /** An event was in the log: with fewer, or with another in its place, it has lost its end, also where that was not read yet. */
  expect(name: string, n: number): void {
    if (n > this.#had.n) this.#had = { n, name };
  }

  /** Begins again on a new connection. */
  renew(): void {
    this.#stop();
    this.#link.renew();
  }

  end(): void {
    this.#over = true;
    this.#stop();
  }

  #begin(): void {
    if (this.#over) return;
    clearTimeout(this.#again);
    this.#run += 1;
    const run = this.#run;
    this.#follow(run).catch((error: unknown) => {
      if (run !== this.#run) return;
      this.#host.error(error);
      this.#stop();
      // A connection that is lost says when it is back; one that stands is tried again.
      this.#again = setTimeout(() => {
        if (this.#link.alive) this.#begin();
      }, AGAIN_MS).unref();
    });
  }

  #stop(): void {
    clearTimeout(this.#again);
    this.#run += 1;
    this.#host.down();
  }

  async #follow(run: number): Promise<void> {
    await this.#look(run);
    // Anew each time: what took too long before comes in smaller pieces now.
    const size = new PageSize();
    for (let reachedEnd = false; run === this.#run; ) {
      const entries = await this.#read(size.entries, reachedEnd);
      if (run !== this.#run) return;
      this.#strange ||= entries.some(({ n }) => n === undefined);
      // They are handed over only once a replica has them.
      if (entries.length > 0 && this.#settings.durable && !(await this.#replicated(run))) return;
      const outrun = await this.#isOutrun(entries);
      if (run !== this.#run) return;
      await this.#handOver(entries, outrun);
      if (run !== this.#run) return;
      if (!reachedEnd && entries.length < size.entries) {
        reachedEnd = true;
        this.#host.up();
      }
      size.fit(entries);
      if (this.#doubted) await this.#look(run);
    }
  }

  /** Looks whether the log is the one that is known; if not, it is marked now. */
  async #look(run: number): Promise<void> {
    const { log, count, tick, tickSeq } = this.#keys;
    const args = [...this.known, this.#began ? '1' : '', this.#doubted ? '1' : '', String(tickSeq)];
    const end = await this.#link.call('eval', TICK, '3', log, count, tick, ...args);
    if (run !== this.#run) return;
    this.#doubted = false;
    if (this.#began) return;
    this.#began = true;
    this.#host.began(parseStreamId(String(end)) ?? BEGINNING);
  }

  async #read(count: number, waits: boolean): Promise<LogEntry[]> {
    const block = waits ? ['BLOCK', String(BLOCK_MS)] : [];
    const args = ['COUNT', String(count), ...block, 'STREAMS', this.#keys.log, formatStreamId(this.#position)];
    return readStream(await this.#link.call('xread', ...args));
  }

  /**
   * Whether strangers' entries are gone that were not read: they are not counted, so that only where the log begins now tells.
   * A log in which there is nothing but a tick begins after each that was read, too.
   */
  async #isOutrun([oldest]: readonly LogEntry[]): Promise<boolean> {
    const { ms } = this.#position;
    if (!this.#strange || ms === 0 || oldest === undefined || oldest.kind === 'mark') return false;
    if (oldest.kind === 'tick' && oldest.id.ms - ms < this.#settings.windowMs) return false;
    const [first] = readEntries(await this.#link.call('xrange', this.#keys.log, '-', '+', 'COUNT', '1'));
    return first !== undefined && compareStreamIds(first.since ?? first.id, this.#position) > 0;
  }

  /** A write after the entries that a replica has is proof that it has the entries. */
  async #replicated(run: number): Promise<boolean> {
    const { fence, log } = this.#keys;
    while (run === this.#run) {
      await this.#link.call('set', fence, '1', 'PX', '60000');
      const replicas = await this.#link.wait(log, BLOCK_MS);
      if (replicas > 0) return run === this.#run;
      if (run === this.#run) this.#host.error(new Error('no replica has the end of the log, which waits for one'));
    }
    return false;
  }

  /** One after the other, also when the connection was lost and found again in the meantime. */
  #handOver(entries: readonly LogEntry[], outrun: boolean): Promise<void> {
    let from = 0;
    let lost = outrun;
    const pieces: { entries: readonly LogEntry[]; lost: boolean }[] = [];
    for (const [at, entry] of entries.entries()) {
      if (!this.#step(entry)) continue;
      if (at > from) pieces.push({ entries: entries.slice(from, at), lost });
      from = at;
      lost = true;
    }
    if (from < entries.length) pieces.push({ entries: from === 0 ? entries : entries.slice(from), lost });
    this.#handing = this.#handing.then(async () => {
      for (const piece of pieces) await this.#host.read(piece.entries, piece.lost);
    });
    return this.#handing;
  }

  /** Moves on to an entry. @returns whether there were others before it that are gone */
  #step({ id, kind, n, name }: LogEntry): boolean {
    const known = this.#n;
    if (compareStreamIds(id, this.#position) > 0) this.#position = id;
    if (n === undefined) return false;
    this.#n = n;
    if (kind === 'mark') {
      // Another has seen it too, and said so.
      this.#doubted = false;
      return false;
    }
    if (kind === 'event' && n === this.#had.n && name !== this.#had.name) this.#doubted = true;
    if (known === undefined) return false;
    const expected = kind === 'tick' ? known : known + 1;
    if (n < expected) this.#doubted = true;
    return n > expected;
  }
}
