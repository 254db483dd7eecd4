import { Connection } from '../../src/delivery/connection.js';
import { LogFeed, type LogPage } from '../../src/delivery/log/feed.js';
import type { Scope } from '../../src/delivery/scope.js';
import { Counters } from '../../src/stats.js';
import { encodeEvent, encodeRetry } from '../../src/wire/frame.js';
import { BEGINNING, compareStreamIds, formatStreamId, parseStreamId, type StreamId } from '../../src/wire/stream-id.js';
import { ManualDelivery, QUIET, quietParts, ReadingSink } from '../helpers/manual-delivery.js';

/** What stands in the log, or stood there. */
export type Entry = { id: StreamId } & (
  | { kind: 'event'; scope: Scope }
  | { kind: 'mark' }
  | { kind: 'tick'; since: StreamId }
);

const TICK_SEQ = 7;
const PAGE_ENTRIES = 4;
const CURSOR_MS = 1000;
/** An event of these tests costs a little more than this in the ring. */
const EVENT_BYTES = 340;

export const isLater = (a: StreamId, b: StreamId): boolean => compareStreamIds(a, b) > 0;

/** One connection of a client: what it is owed, and what it saw. */
export interface Session {
  readonly connection: Connection;
  readonly sink: ReadingSink;
  /** Its client came with a position. */
  readonly position: StreamId | undefined;
  /** What it is owed: of these scopes everything behind an entry. */
  readonly owed: Map<string, StreamId>;
  /** A room that it joined with its history began before what is in memory, so that a gap was told there. */
  joinedWithReplay: boolean;
}

export const nameOf = ({ kind, name = '' }: Scope): string => `${kind}:${name}`;

interface Read {
  position: StreamId;
  page: LogPage | undefined;
  resolve(page: LogPage): void;
  reject(error: Error): void;
}

/** A log, what one instance makes of it, and its clients; everything happens when the test says so. */
export class World {
  /** Everything that was ever appended, and what of it is still there. */
  readonly all: Entry[] = [];
  log: Entry[] = [];
  readonly sessions: Session[] = [];
  readonly feed: LogFeed;
  readonly counters = new Counters();
  readonly #delivery: ManualDelivery;
  #reads: Read[] = [];
  #ms = 1;
  #began: StreamId;
  #read: StreamId = BEGINNING;
  #asked = 0;
  #aheadMs = 0;

  /** @param history - what was said before the instance first saw the log */
  constructor(ringEvents: number, windowMs: number, history: readonly Scope[]) {
    let feed: LogFeed | undefined;
    this.#delivery = new ManualDelivery({
      ...quietParts(this.counters),
      cursorMs: CURSOR_MS,
      history: (delivery) => {
        feed = new LogFeed({
          windowMs,
          ringMaxBytes: ringEvents * EVENT_BYTES,
          counters: this.counters,
          delivery,
          read: (position) =>
            new Promise((resolve, reject) => this.#reads.push({ position, page: undefined, resolve, reject })),
          asked: () => this.#asked,
          tickSeq: () => TICK_SEQ,
        });
        return feed;
      },
    });
    if (feed === undefined) throw new Error('no feed');
    this.feed = feed;
    this.#append({ id: this.#next(), kind: 'mark' });
    for (const scope of history) this.append(scope);
    this.#began = this.end;
    this.feed.began(this.end);
  }

  get end(): StreamId {
    return this.log.at(-1)?.id ?? BEGINNING;
  }

  append(scope: Scope): void {
    this.#append({ id: this.#next(), kind: 'event', scope });
  }

  tick(): void {
    const last = this.log.at(-1);
    if (last?.kind === 'tick') this.log.pop();
    const since = last?.kind === 'tick' ? last.since : this.end;
    this.#append({ id: { ...this.#next(), seq: TICK_SEQ }, kind: 'tick', since });
  }

  /** The log is gone, and begins anew. */
  wipe(): void {
    this.log = [];
    this.#append({ id: this.#next(), kind: 'mark' });
  }

  /** Old entries go; the last one never does. */
  trim(count: number): void {
    this.log = this.log.slice(Math.min(count, this.log.length - 1));
  }

  /** The instance reads on in the log. */
  tail(count: number): void {
    const behind = this.log.filter(({ id }) => isLater(id, this.#read));
    const entries = behind.slice(0, count);
    const [first] = entries;
    if (first !== undefined && first.kind !== 'mark' && this.all.some((entry) => this.#isLostBefore(entry, first))) {
      this.feed.lose(first.id);
    }
    for (const entry of entries) {
      this.#read = entry.id;
      if (entry.kind === 'mark') this.feed.mark(entry.id);
      else if (entry.kind === 'tick') this.feed.pass(entry);
      else if (this.feed.isOld(entry.id)) this.feed.record(entry.scope, this.#frame(entry));
      else this.#delivery.deliver(entry.scope, this.#frame(entry));
    }
    this.feed.wakeWaiting();
    if (entries.length === behind.length && !this.feed.warm) this.feed.caughtUp();
  }

  /** An answer to the question where the log ends. */
  ended(): void {
    this.#asked += 1;
    this.feed.ended(this.end, this.#asked);
  }

  /** Redis makes the answer to a read. */
  execute(): void {
    const read = this.#reads.find(({ page }) => page === undefined);
    if (read !== undefined) read.page = this.#page(read.position);
  }

  /** The answer arrives, or the read fails. */
  async answer(well: boolean): Promise<void> {
    const read = this.#reads.shift();
    if (well) read?.resolve(read.page ?? this.#page(read.position));
    else read?.reject(new Error('the connection was lost'));
    for (let turn = 0; turn < 3; turn += 1) await Promise.resolve();
  }

  flush(): boolean {
    return this.#delivery.flusher.flush();
  }

  connect(userId: string, rooms: readonly string[], lastEventId: string, disconnect: boolean): Session {
    const sink = new ReadingSink(lastEventId);
    const settings = { ...QUIET, dropPolicy: disconnect ? ('disconnect' as const) : ('oldest' as const) };
    const position = parseStreamId(lastEventId);
    const connection = new Connection(this.#delivery, this.sessions.length, userId, settings, lastEventId);
    connection.start(sink, encodeRetry(0));
    const from = position ?? this.#seen;
    const owed = new Map(['all:', `user:${userId}`, ...rooms.map((room) => `room:${room}`)].map((key) => [key, from]));
    const session = { connection, sink, position, owed, joinedWithReplay: false };
    this.sessions.push(session);
    this.#delivery.enter(connection, lastEventId || undefined, rooms)();
    return session;
  }

  /** @returns whether it has joined with history */
  join(session: Session, room: string, replay: boolean): boolean {
    const { connection, owed, position } = session;
    // One that reads from Redis may be ahead of the instance: it is owed what is said from here on.
    const now = connection.lagging ? this.end : this.#read;
    const from = replay && position !== undefined ? position : now;
    if (!this.#delivery.join(connection, room, undefined, replay)) return session.joinedWithReplay;
    owed.set(`room:${room}`, from);
    return session.joinedWithReplay || (replay && position !== undefined);
  }

  leave({ connection, owed }: Session, room: string): void {
    this.#delivery.leave(connection, room);
    owed.delete(`room:${room}`);
  }

  /** Something that is live only. */
  send(userId: string): void {
    const frame = encodeEvent({ event: 'live', text: 'x'.repeat(200) }, this.#delivery.nextOrder());
    this.#delivery.deliver({ kind: 'user', name: userId }, frame);
  }

  drain({ sink, connection }: Session): void {
    sink.takes = true;
    if (!sink.stalled) return;
    sink.stalled = false;
    connection.drained();
  }

  /** Everything that can happen by itself happens. */
  async settle(): Promise<void> {
    for (let idle = 0; idle < 3; ) {
      for (const session of this.sessions) this.drain(session);
      this.tail(1000);
      this.ended();
      let busy = false;
      for (let flushed = this.flush(); flushed; flushed = this.flush()) busy = true;
      for (; this.#reads.length > 0; busy = true) await this.answer(true);
      idle = busy ? 0 : idle + 1;
    }
    // Those to whom nothing was said are moved by their heartbeat.
    const { clock, flusher } = this.#delivery;
    this.#aheadMs += 2 * CURSOR_MS;
    for (const { connection } of this.sessions) connection.wake(clock.now() + this.#aheadMs);
    flusher.flush();
  }

  /** How far the instance has read; at first it reads what is history. */
  get #seen(): StreamId {
    return this.feed.warm ? this.#read : this.#began;
  }

  #isLostBefore({ id, kind }: Entry, first: Entry): boolean {
    return kind !== 'tick' && isLater(id, this.#read) && isLater(first.id, id);
  }

  #frame({ id }: Entry) {
    const name = formatStreamId(id);
    return encodeEvent({ id: name, text: name }, this.#delivery.nextOrder());
  }

  #page(position: StreamId): LogPage {
    const behind = this.log.filter(({ id }) => !isLater(position, id)).slice(0, PAGE_ENTRIES + 1);
    const entries = behind.map((entry) => {
      if (entry.kind === 'tick') return { id: entry.id, kind: 'other' as const, since: entry.since };
      if (entry.kind === 'mark') return { id: entry.id, kind: 'mark' as const };
      const name = formatStreamId(entry.id);
      return {
        id: entry.id,
        kind: 'event' as const,
        scope: entry.scope,
        frame: encodeEvent({ id: name, text: name }, 0),
      };
    });
    return { entries, first: this.log[0]?.id };
  }

  #append(entry: Entry): void {
    this.all.push(entry);
    this.log.push(entry);
  }

  #next(): StreamId {
    this.#ms += 1;
    return { ms: this.#ms, seq: this.#ms % 3 };
  }
}
