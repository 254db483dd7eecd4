import { SSEKifyError } from '../../errors.js';
import type { Counters } from '../../stats.js';
import type { GapReason } from '../../types.js';
import { encodeEvent, type Frame } from '../../wire/frame.js';
import {
  BEGINNING,
  beforeStreamId,
  compareStreamIds,
  formatStreamId,
  parseStreamId,
  type StreamId,
} from '../../wire/stream-id.js';
import type { Connection } from '../connection.js';
import type { Delivery } from '../delivery.js';
import type { History } from '../history.js';
import { roomScope, type Scope } from '../scope.js';
import { ServedRooms } from '../served-rooms.js';
import { LogBacklog, type Start } from './backlog.js';
import { Ring } from './ring.js';
import type { Neighbour } from './told.js';

/** A piece of the log that is older than the ring. */
export interface LogPage {
  entries: readonly LogPageEntry[];
  /** The oldest position the log had after it was read. */
  first: StreamId | undefined;
}

export type LogPageEntry = Neighbour &
  ({ kind: 'event'; scope: Scope; frame: Frame } | { kind: 'mark' } | { kind: 'other' });

/** What the feed is built on. */
export interface LogFeedParts {
  windowMs: number;
  ringMaxBytes: number;
  counters: Counters;
  delivery: Delivery;
  /** Reads what comes from a position on, from Redis. */
  read(position: StreamId): Promise<LogPage>;
  /** How many times the end of the log has been asked for. */
  asked(): number;
  /** What the ids of the log's ticks end with. */
  tickSeq(): number;
}

/** The place of a position that the ring does not hold, or is not known to hold. */
const OLDER = Number.NEGATIVE_INFINITY;

/** History in lossless mode: connections read the log, and go live where the ring ends. */
export class LogFeed implements History {
  readonly ring: Ring;
  readonly #parts: LogFeedParts;
  /** Connections that can read on when something has changed. */
  readonly #waiting = new Set<Connection>();
  readonly #backlogs = new WeakMap<Connection, LogBacklog>();
  /** The whole window has been read. */
  #warm = false;
  #began: StreamId | undefined;
  /** Rooms that are joined before the window is read count from this place on, once it is known. */
  #startPlace = 0;
  #end: { id: StreamId; asked: number } | undefined;
  #cursor: Frame | undefined;

  constructor(parts: LogFeedParts) {
    this.#parts = parts;
    this.ring = new Ring(parts.windowMs, parts.ringMaxBytes);
  }

  get warm(): boolean {
    return this.#warm;
  }

  get counters(): Counters {
    return this.#parts.counters;
  }

  get size() {
    return this.ring.size;
  }

  /** The end of the log as it was last heard of. */
  get end(): { id: StreamId; asked: number } | undefined {
    return this.#end;
  }

  /** Where the log ended when it was first seen. */
  get start(): StreamId | undefined {
    return this.#began;
  }

  asked(): number {
    return this.#parts.asked();
  }

  get tickSeq(): number {
    return this.#parts.tickSeq();
  }

  read(position: StreamId): Promise<LogPage> {
    return this.#parts.read(position);
  }

  gap(connection: Connection, reason: GapReason): Frame | undefined {
    return this.#parts.delivery.gap(connection, connection.sentId, reason);
  }

  /** Takes an event of the log; of what else is sent nothing is kept. */
  record(scope: Scope, frame: Frame): void {
    const id = frame.id === undefined ? undefined : parseStreamId(frame.id);
    if (id !== undefined) this.ring.append(id, scope, frame);
  }

  /** Something that is no event moved the end of the log. */
  pass(entry: Neighbour): void {
    this.ring.pass(entry, this.tickSeq);
  }

  /** The log is another from here on: everyone who passes this place is told. */
  mark(id: StreamId): void {
    this.#breakAt(id, 'reset');
  }

  /** Entries right before this one were gone before they were read. */
  lose(next: StreamId): void {
    this.#breakAt(beforeStreamId(next), 'evicted');
  }

  began(end: StreamId): void {
    this.#began = end;
  }

  /** Whether an entry was in the log before this instance was. */
  isOld(id: StreamId): boolean {
    return !this.#warm && this.#began !== undefined && compareStreamIds(id, this.#began) <= 0;
  }

  /** All that is in the log was read. */
  caughtUp(): void {
    if (!this.#warm) this.#startPlace = this.ring.placeOf(this.#began ?? BEGINNING);
    this.#warm = true;
    this.wakeWaiting();
  }

  ended(id: StreamId, asked: number): void {
    this.#end = { id, asked };
    this.wakeWaiting();
  }

  /** Something came or changed: those who wait look again. */
  wakeWaiting(): void {
    if (!this.#warm || this.#waiting.size === 0) return;
    const waiting = [...this.#waiting];
    this.#waiting.clear();
    for (const connection of waiting) connection.readOn();
  }

  wait(connection: Connection): void {
    this.#waiting.add(connection);
  }

  enter(connection: Connection, lastEventId: string | undefined): undefined {
    const resumes = lastEventId !== undefined;
    if (resumes) connection.position = OLDER;
    if (resumes || !this.#warm) {
      this.#follow(connection, { lastEventId });
      return;
    }
    // A client that has nothing is live at once: were it to read the ring later, the next event might be gone from it by then.
    const cursor = this.cursor('');
    if (cursor !== undefined) connection.pushReplay([cursor]);
  }

  leaveBehind(connection: Connection, frame: Frame): boolean {
    this.counters.leftBehind += 1;
    this.#follow(connection, { place: frame.order - 1 });
    return true;
  }

  /** A room's events leave with the log's window, like all others. */
  forget(): void {}

  /** An event of the log is lost here only with its entry, which the log tells of. */
  tear(): void {}

  clear(): never {
    throw new SSEKifyError('UNSUPPORTED', 'clearRecent() cannot empty the log, which all instances share.');
  }

  left(connection: Connection): void {
    this.#waiting.delete(connection);
  }

  join(connection: Connection, room: string, _: unknown, replay: boolean): GapReason | undefined {
    const { position } = connection;
    const backlog = this.#backlogOf(connection);
    const now = this.#now;
    const replayed = replay && position !== undefined;
    backlog?.joined(room, replayed);
    if (position === undefined) return undefined;
    connection.served ??= new ServedRooms(position);
    let lost = false;
    if (replayed && backlog !== undefined && backlog.place === undefined) {
      // It will read the room with all else, but for what it has passed.
      lost = backlog.passed;
    } else if (replayed) {
      // What it was there for is not lost on it.
      const place = connection.served.allUpTo(room, position);
      lost = place < this.ring.begin;
      const upTo = Math.min(this.ring.newestOf(roomScope(room)), backlog?.place ?? now);
      const history = { place, upTo, whole: !lost, had: connection.served.had(room) };
      if (upTo > place) (backlog ?? this.#follow(connection, { place: now })).recall(room, history);
    }
    const told = lost ? this.#parts.delivery.gapFrame(connection.sentId, 'evicted') : undefined;
    if (told !== undefined) connection.pushReplay([told]);
    connection.served.joined(room, () => (replayed ? position : Math.max(now, this.#startPlace)));
    return lost ? 'evicted' : undefined;
  }

  leave(connection: Connection, room: string): void {
    const { position } = connection;
    if (position === undefined) return;
    connection.served ??= new ServedRooms(position);
    const backlog = this.#backlogOf(connection);
    connection.served.left(room, backlog === undefined ? this.#now : (backlog.left(room) ?? OLDER));
  }

  /** An empty event that moves a client's last id to a position. */
  cursorFrame(id: StreamId): Frame {
    return encodeEvent({ id: formatStreamId(id), event: 'server:cursor', text: '' }, 0);
  }

  /** The same for the end of the log; `undefined` for a client that is there already. */
  cursor(sentId: string): Frame | undefined {
    if (!this.#warm) return undefined;
    const id = formatStreamId(this.ring.last.id);
    if (sentId === id) return undefined;
    if (this.#cursor?.id !== id) this.#cursor = this.cursorFrame(this.ring.last.id);
    return this.#cursor;
  }

  get #now(): number {
    return this.ring.last.order;
  }

  #backlogOf(connection: Connection): LogBacklog | undefined {
    return connection.lagging ? this.#backlogs.get(connection) : undefined;
  }

  #follow(connection: Connection, start: Start): LogBacklog {
    const backlog = new LogBacklog(this, connection, start);
    this.#backlogs.set(connection, backlog);
    connection.follow(backlog);
    return backlog;
  }

  #breakAt(id: StreamId, reason: GapReason): void {
    const order = this.#parts.delivery.nextOrder();
    this.ring.breakAt(id, order, reason);
    // Before the whole window is read everyone waits anyway.
    if (!this.#warm) return;
    for (const connection of this.#parts.delivery.registry.all) {
      if (!connection.lagging) this.#follow(connection, { place: order - 1 });
    }
  }
}
