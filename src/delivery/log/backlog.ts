import type { GapReason } from '../../types.js';
import type { Frame } from '../../wire/frame.js';
import { BEGINNING, compareStreamIds, parseStreamId, type StreamId } from '../../wire/stream-id.js';
import type { Backlog } from '../backlog.js';
import type { Connection } from '../connection.js';
import { EVERYONE, roomScope, type Scope, userScope } from '../scope.js';
import type { LogFeed, LogPage } from './feed.js';
import { wasTold } from './told.js';

/**
 * Where a connection's reading begins: at a place in the ring, at what its client said it has, or, for one that has nothing
 * and came before the log was known, where the log ended when it was first seen.
 */
export type Start = { place: number } | { lastEventId: string | undefined };

/** What a room said before it was joined, and is yet to be read: without ids where it stands behind the client's cursor. */
export interface RoomHistory {
  /** How far it was read, and how far it goes. */
  place: number;
  upTo: number;
  /** No loss in it was told. */
  whole: boolean;
  /** Whether the client got an event before. */
  had(order: number): boolean;
}

/**
 * What a connection has yet to read of the log before it is live: first what is older than the ring, from Redis, then what the
 * ring holds. It reads a piece whenever what it read before was written, so that a slow client costs one piece.
 */
export class LogBacklog implements Backlog {
  readonly #feed: LogFeed;
  readonly #connection: Connection;
  /** What its client said it has, until that is a place. */
  #lastEventId: string | undefined;
  #position: StreamId | undefined;
  /** Where it is in the ring. */
  #place: number | undefined;
  /** The end of the log has to be known better than by the answer to this question, to judge a position beyond it. */
  #asked: number | undefined;
  #older: 'reading' | LogPage | undefined;
  #counted = false;
  /** It has read pieces that joining a room cannot bring back. */
  #passed = false;
  /** Rooms that were joined on the way, and from where on they count. */
  readonly #since = new Map<string, StreamId>();
  /** Of rooms that were joined with their history: they come before all else, and before the client is told where it stands. */
  readonly #histories = new Map<string, RoomHistory>();

  constructor(feed: LogFeed, connection: Connection, start: Start) {
    this.#feed = feed;
    this.#connection = connection;
    if ('place' in start) this.#place = start.place;
    else this.#lastEventId = start.lastEventId;
  }

  /** Its place in the ring; `undefined` before it has one. */
  get place(): number | undefined {
    return this.#place;
  }

  /** Whether there was something to read before what it reads now. */
  get passed(): boolean {
    return this.#passed;
  }

  /** A room was joined. @param whole - it counts everywhere, not only from now on */
  joined(room: string, whole: boolean): void {
    if (whole) this.#since.delete(room);
    else this.#since.set(room, this.#feed.ring.last.id);
  }

  /** Reads a room's history before it goes on. */
  recall(room: string, history: RoomHistory): void {
    this.#histories.set(room, history);
  }

  /** A room was left. @returns the place up to which it was read; `undefined` before there is one */
  left(room: string): number | undefined {
    const { ring } = this.#feed;
    const position = this.#position;
    // What came from Redis last may reach into the ring.
    const read = position !== undefined && ring.reaches(position) ? ring.placeOf(position) : undefined;
    const place = this.#histories.get(room)?.place ?? this.#place ?? read;
    this.#histories.delete(room);
    return place;
  }

  next(open: boolean): readonly Frame[] | 'later' | 'done' {
    if (this.#histories.size > 0) return this.#readHistories(open);
    if (!open) return 'done';
    if (this.#place !== undefined) return this.#readRing(this.#place);
    if (!this.#feed.warm) return this.#wait();
    if (this.#older !== undefined) return this.#readOlder(this.#older);
    const { ring } = this.#feed;
    this.#position ??= this.#lastEventId === undefined ? this.#feed.start : parseStreamId(this.#lastEventId);
    const position = this.#position;
    if (position === undefined) return this.#settle(ring.last.order, this.#gap('unknown'));
    if (compareStreamIds(position, ring.last.id) > 0) return this.#readAhead(position);
    const end = ring.endOfVoid(position);
    if (end !== undefined) {
      this.#position = end;
      return this.#reset(end);
    }
    if (!ring.reaches(position)) {
      if (!this.#counted) this.#feed.counters.resumesFromRedis += 1;
      this.#counted = true;
      return this.#readOlder(undefined);
    }
    if (this.#judges && ring.isForeign(position, this.#feed.tickSeq))
      return this.#settle(ring.last.order, this.#gap('unknown'));
    if (this.#lastEventId !== undefined && !this.#counted) this.#feed.counters.resumesFromMemory += 1;
    return this.#settle(ring.placeOf(position), []);
  }

  /** Reads on in the history of joined rooms, in all at once: an id in it says that all before it is there. */
  #readHistories(open: boolean): readonly Frame[] {
    const { ring, counters } = this.#feed;
    // All that it accepted was written by now.
    const sent = parseStreamId(this.#connection.sentId);
    const told = sent === undefined ? Number.POSITIVE_INFINITY : ring.placeOf(sent);
    let place = Number.POSITIVE_INFINITY;
    let lost = false;
    for (const history of this.#histories.values()) {
      // A client that leaves comes back for what came since its last id.
      if (!open) history.upTo = Math.min(history.upTo, told);
      lost ||= history.whole && history.place < ring.begin;
      history.whole &&= history.place >= ring.begin;
      place = Math.min(place, history.place);
    }
    if (lost) return this.#gap('evicted');
    const { frames, upTo } = ring.after(place, [...this.#histories.keys()].map(roomScope), (room, order) => {
      const history = this.#histories.get(room);
      return history !== undefined && order > history.place && order <= history.upTo && !history.had(order);
    });
    counters.replayed += frames.length;
    for (const [room, history] of this.#histories) {
      history.place = Math.max(history.place, upTo);
      if (upTo >= history.upTo) this.#histories.delete(room);
    }
    return frames.map((frame) => (frame.order > told ? frame : frame.withoutId()));
  }

  /** The client has more than this instance: either this one lags, or the position is not of this log. */
  #readAhead(position: StreamId): readonly Frame[] | 'later' | 'done' {
    const { end } = this.#feed;
    this.#asked ??= this.#feed.asked();
    if (end === undefined || end.asked <= this.#asked || compareStreamIds(position, end.id) <= 0) return this.#wait();
    return this.#settle(this.#feed.ring.last.order, this.#gap('unknown'));
  }

  /** Reads from Redis, piece by piece, until the ring goes on from there. */
  #readOlder(page: 'reading' | LogPage | undefined): readonly Frame[] | 'later' | 'done' {
    const position = this.#position;
    if (page === 'reading' || position === undefined) return 'later';
    if (page === undefined) {
      this.#fetch(position);
      return 'later';
    }
    this.#older = undefined;
    const { ring, counters, tickSeq } = this.#feed;
    const frames: Frame[] = [];
    const lost = page.first === undefined || compareStreamIds(page.first, position) > 0;
    const [next] = page.entries;
    if (this.#judges && !lost && next !== undefined && next.kind !== 'mark' && !wasTold(position, next, tickSeq)) {
      return this.#settle(ring.last.order, this.#gap('unknown'));
    }
    const isIt = next !== undefined && compareStreamIds(next.id, position) === 0;
    const entries = isIt ? page.entries.slice(1) : page.entries;
    if (lost && next?.kind !== 'mark') frames.push(...this.#gap('evicted'));
    this.#passed = true;
    const { rooms } = this.#connection;
    for (const entry of entries) {
      if (entry.kind === 'mark') frames.push(...this.#reset(entry.id));
      else if (entry.kind === 'event' && this.#sees(entry.scope, entry.id, rooms)) {
        frames.push(entry.frame);
        counters.replayed += 1;
      }
    }
    const reached = entries.at(-1)?.id;
    if (reached === undefined) {
      // The log has nothing of what the ring saw in it.
      if (!lost) frames.push(...this.#gap('reset'));
      return this.#settle(ring.begin, frames);
    }
    // The tail may have yet to come as far as this, and the answer that is there may be older.
    this.#position = reached;
    this.#asked = undefined;
    return frames;
  }

  #fetch(position: StreamId): void {
    this.#older = 'reading';
    this.#feed.read(position).then(
      (page) => {
        this.#older = page;
        this.#connection.readOn();
      },
      () => {
        // The bus tells of it; it is read again when the log is back.
        this.#older = undefined;
        this.#wait();
      },
    );
  }

  /** Whether its position is still what its client said, and may be anything. */
  get #judges(): boolean {
    return this.#lastEventId !== undefined && !this.#passed;
  }

  #sees(scope: Scope, id: StreamId, rooms: ReadonlySet<string> | undefined): boolean {
    if (scope.kind === 'all') return true;
    if (scope.kind === 'user') return scope.name === this.#connection.userId;
    if (rooms?.has(scope.name) !== true) return false;
    return !this.#since.has(scope.name) || compareStreamIds(id, this.#sinceOf(scope.name)) > 0;
  }

  /** One that was joined while history was read counts from where the log was first seen. */
  #sinceOf(room: string): StreamId {
    const since = this.#since.get(room) ?? BEGINNING;
    const { start = BEGINNING } = this.#feed;
    return compareStreamIds(since, start) > 0 ? since : start;
  }

  #settle(place: number, frames: readonly Frame[]): readonly Frame[] | 'later' | 'done' {
    this.#place = place;
    if (this.#lastEventId !== undefined && !this.#passed) this.#connection.position = place;
    return frames.length > 0 ? frames : this.#readRing(place);
  }

  #readRing(place: number): readonly Frame[] | 'later' | 'done' {
    const { ring, counters } = this.#feed;
    if (place < ring.begin) {
      // So far behind that only Redis has what comes next; the client is told where that is when it comes back.
      this.#connection.close('backpressure');
      return 'later';
    }
    const since = new Map([...this.#since.keys()].map((room) => [room, ring.placeOf(this.#sinceOf(room))]));
    const { frames, upTo, broken } = ring.after(place, this.#scopes(), (room, order) => order > (since.get(room) ?? 0));
    this.#place = upTo;
    counters.replayed += frames.length;
    if (broken !== undefined) frames.push(...this.#gap(broken.reason), this.#feed.cursorFrame(broken.id));
    return frames.length === 0 && upTo === ring.last.order ? 'done' : frames;
  }

  #scopes(): Scope[] {
    const { userId, rooms } = this.#connection;
    return [EVERYONE, userScope(userId), ...[...(rooms ?? [])].map(roomScope)];
  }

  #gap(reason: GapReason): Frame[] {
    const frame = this.#feed.gap(this.#connection, reason);
    return frame === undefined ? [] : [frame];
  }

  #reset(next: StreamId): Frame[] {
    return [...this.#gap('reset'), this.#feed.cursorFrame(next)];
  }

  #wait(): 'later' {
    this.#feed.wait(this.#connection);
    return 'later';
  }
}
