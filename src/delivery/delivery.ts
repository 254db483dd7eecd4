import type { Reporter } from '../events.js';
import type { ConnectionSettings, RoomSettings } from '../options.js';
import type { Counters } from '../stats.js';
import type { DisconnectReason, GapReason } from '../types.js';
import { encodeEvent, type Frame } from '../wire/frame.js';
import type { Clock } from './clock.js';
import type { Connection } from './connection.js';
import type { ConnectionHost } from './connection-host.js';
import { Flusher } from './flusher.js';
import type { History } from './history.js';
import type { HeldScope } from './recent-buffer.js';
import { Registry } from './registry.js';
import { relieve, relieved } from './relief.js';
import { Rooms } from './rooms.js';
import { roomScope, type Scope } from './scope.js';

/** What delivery is told by the class. */
export interface DeliveryParts {
  clock: Clock;
  counters: Counters;
  reporter: Reporter;
  gapEvent: string | false;
  instanceId: string;
  cursorMs: number | undefined;
  heartbeat(settings: ConnectionSettings): Frame;
  history(delivery: Delivery): History;
  roomSettings(room: string): RoomSettings;
  /** A user's connection ended. */
  left(userId: string): void;
}

/** Records frames and fans them out. Nothing in here is awaited: that is why nothing is lost between replay and live. */
export class Delivery implements ConnectionHost {
  readonly registry = new Registry();
  readonly flusher = new Flusher();
  readonly history: History;
  readonly rooms: Rooms;
  readonly clock: Clock;
  readonly instanceId: string;
  readonly cursorMs: number | undefined;
  draining = false;
  readonly #parts: DeliveryParts;
  /** Connections that take nothing any more, but whose responses are not over. */
  readonly #leaving = new Set<Connection>();
  /** Connections whose coming is being told to listeners; with what tells of their end, if that has come by now. */
  readonly #coming = new Map<Connection, (() => void) | undefined>();
  #whenEmpty: (() => void)[] = [];
  #order = 0;

  constructor(parts: DeliveryParts) {
    this.#parts = parts;
    this.clock = parts.clock;
    this.instanceId = parts.instanceId;
    this.cursorMs = parts.cursorMs;
    this.history = parts.history(this);
    this.rooms = new Rooms({
      clock: parts.clock,
      emptyTimeoutMs: (room) => parts.roomSettings(room).emptyTimeoutMs,
      forget: (room) => this.history.forget(roomScope(room)),
      tell: (event, room) => parts.reporter.tell(event, () => ({ room })),
    });
  }

  /** What is held now, as `stats()` tells it. */
  get size() {
    const { all, users, rooms } = this.registry;
    const { buffers, items, bytes } = this.history.size;
    return {
      connections: all.size,
      users: users.size,
      rooms: rooms.size,
      recentBuffers: buffers,
      recentItems: items,
      recentBytes: bytes,
    };
  }

  /** The newest place in the send order. */
  get order(): number {
    return this.#order;
  }

  /** The next place in the send order. */
  nextOrder(): number {
    this.#order += 1;
    return this.#order;
  }

  /** Records a frame and gives it to all that it is for. @returns how many accepted it */
  deliver(scope: HeldScope, frame: Frame): number {
    const targets = this.registry.targetsOf(scope);
    if (targets === undefined || 'size' in targets) {
      this.history.record(scope, frame, 'recent' in scope ? scope : undefined);
      return targets === undefined ? 0 : this.fanOut(targets, frame);
    }
    this.history.record(scope, frame, scope.kind === 'user' ? targets : undefined);
    return this.#give(targets, frame);
  }

  /** Tells those of a scope who came to it, or anywhere, at a place or behind it that they were not given an event. */
  lack(scope: Scope, since: number): void {
    const targets = this.registry.targetsOf(scope) ?? [];
    for (const connection of Symbol.iterator in targets ? [...targets] : [targets]) {
      if (!connection.open || connection.entered < since) continue;
      const gap = this.gap(connection, connection.sentId, 'evicted');
      if (gap !== undefined) connection.pushReplay([gap]);
    }
  }

  /** Whether an event can be kept as bytes: nobody waits for it, and its scope keeps such. */
  keepsBytes(scope: HeldScope): boolean {
    return this.registry.targetsOf(scope) === undefined && 'recent' in scope && scope.recent?.packing === true;
  }

  /** The same for one connection, without a loop. */
  #give(connection: Connection, frame: Frame): number {
    const outcome = connection.push(frame);
    if (outcome === 'overflow') connection.close('backpressure');
    if (outcome !== 'accepted') return 0;
    this.#parts.counters.sent += 1;
    return 1;
  }

  /** Gives a frame to connections, unrecorded. @returns how many accepted it */
  fanOut(connections: Iterable<Connection>, frame: Frame): number {
    let count = 0;
    let overflowing: Connection[] | undefined;
    for (const connection of connections) {
      const outcome = connection.push(frame);
      if (outcome === 'accepted') count += 1;
      else if (outcome === 'overflow') {
        overflowing ??= [];
        overflowing.push(connection);
      }
    }
    this.#parts.counters.sent += count;
    if (overflowing === undefined) return count;
    // Only now: closing calls listeners, and they may register and close connections themselves.
    for (const connection of overflowing) connection.close('backpressure');
    return count;
  }

  /** Gives connections that are about to end a last event, for which nothing that waits has to go. */
  tellLast(connections: readonly Connection[], frame: Frame): void {
    for (const connection of connections) connection.pushLast(frame);
    this.#parts.counters.sent += connections.length;
  }

  /**
   * Takes a connection in: what it missed first, then it is live, with nothing in between.
   * @returns tells what came of it; to be called once the connection's coming was told
   */
  enter(connection: Connection, lastEventId: string | undefined, rooms: readonly string[]): () => void {
    this.registry.add(connection);
    connection.entered = this.#order;
    this.#coming.set(connection, undefined);
    const opened = rooms.filter((room) => this.registry.join(connection, room) === 'opened');
    const gap = this.history.enter(connection, lastEventId);
    return () => {
      // Listeners may have ended it by now.
      for (const room of opened) if (this.registry.rooms.countOf(room) > 0) this.rooms.opened(room);
      if (gap !== undefined) this.#tellGap(connection, lastEventId ?? '', gap);
      const tellLeft = this.#coming.get(connection);
      this.#coming.delete(connection);
      tellLeft?.();
    };
  }

  join(connection: Connection, room: string, lastEventId: string | undefined, replay: boolean): boolean {
    if (!connection.open || connection.rooms?.has(room) === true) return false;
    const gap = this.history.join(connection, room, lastEventId, replay);
    connection.entered = this.#order;
    const opened = this.registry.join(connection, room) === 'opened';
    // Only now: listeners may send to the room.
    if (opened) this.rooms.opened(room);
    if (gap !== undefined) this.#tellGap(connection, lastEventId ?? '', gap);
    return true;
  }

  leave(connection: Connection, room: string): boolean {
    if (!this.registry.leave(connection, room)) return false;
    this.history.leave(connection, room);
    if (this.registry.rooms.countOf(room) === 0) this.rooms.emptied(room);
    return true;
  }

  /** Resolves when all of these can take more, or the signal aborts. */
  async roomIn(who: Connection | Set<Connection> | undefined, signal: AbortSignal): Promise<void> {
    let crowded = crowdedOf(who);
    while (crowded !== undefined && !signal.aborted) {
      await relieved(crowded, signal);
      crowded = crowdedOf(who);
    }
  }

  /** Cuts off all whose responses are not over. */
  destroyAll(): void {
    for (const connection of [...this.registry.all, ...this.#leaving]) connection.destroy();
  }

  /** Resolves when no response is open. */
  whenEmpty(): Promise<void> {
    if (this.#isEmpty()) return Promise.resolve();
    return new Promise((resolve) => this.#whenEmpty.push(resolve));
  }

  dropped({ userId, connId }: Connection, oldest: number, newest: number): void {
    this.#parts.counters.droppedOldest += oldest;
    this.#parts.counters.droppedNewest += newest;
    this.#parts.reporter.dropped(() => ({ userId, connId, oldest, newest }));
  }

  queued(items: number, bytes: number): void {
    const { counters } = this.#parts;
    counters.queueItemsMax = Math.max(counters.queueItemsMax, items);
    counters.queueBytesMax = Math.max(counters.queueBytesMax, bytes);
  }

  heartbeat(settings: ConnectionSettings): Frame {
    return this.#parts.heartbeat(settings);
  }

  cursor(sentId: string): Frame | undefined {
    return this.history.cursor(sentId);
  }

  leaveBehind(connection: Connection, frame: Frame): boolean {
    return this.history.leaveBehind(connection, frame);
  }

  gap(connection: Connection, lastEventId: string, reason: GapReason): Frame | undefined {
    this.#tellGap(connection, lastEventId, reason);
    return this.gapFrame(lastEventId, reason);
  }

  gapFrame(lastEventId: string, reason: GapReason): Frame | undefined {
    const { gapEvent } = this.#parts;
    if (gapEvent === false) return undefined;
    return encodeEvent({ event: gapEvent, text: JSON.stringify({ lastEventId, reason }) }, 0);
  }

  left(connection: Connection, reason: DisconnectReason): void {
    const { counters, reporter } = this.#parts;
    if (!this.registry.all.has(connection)) return;
    const { rooms = [] } = connection;
    this.registry.remove(connection);
    this.#leaving.add(connection);
    this.history.left(connection);
    relieve(connection);
    if (reason === 'backpressure') counters.disconnectedByBackpressure += 1;
    if (reason === 'stalled') counters.disconnectedByStall += 1;
    const { userId, connId, connectedAt } = connection;
    this.#parts.left(userId);
    const tell = () => {
      reporter.tell('disconnect', () => ({
        userId,
        connId,
        reason,
        durationMs: Math.round(this.clock.now() - connectedAt),
      }));
      for (const room of rooms) if (this.registry.rooms.countOf(room) === 0) this.rooms.emptied(room);
    };
    // Who listens for those that come behind a listener that ends one is to hear of both, and in this order.
    if (this.#coming.has(connection)) this.#coming.set(connection, tell);
    else tell();
  }

  gone(connection: Connection): void {
    this.#leaving.delete(connection);
    if (!this.#isEmpty()) return;
    const waiting = this.#whenEmpty;
    this.#whenEmpty = [];
    for (const resolve of waiting) resolve();
  }

  #isEmpty(): boolean {
    return this.registry.all.size === 0 && this.#leaving.size === 0;
  }

  #tellGap({ userId, connId }: Connection, lastEventId: string, reason: GapReason): void {
    this.#parts.counters.gaps[reason] += 1;
    this.#parts.reporter.tell('gap', () => ({ userId, connId, lastEventId, reason }));
  }
}

/** The first of these that can take no more of what is published now. */
function crowdedOf(who: Connection | Set<Connection> | undefined): Connection | undefined {
  for (const connection of who instanceof Set ? who : who === undefined ? [] : [who]) {
    if (connection.open && (connection.crowded || connection.lagging)) return connection;
  }
  return undefined;
}
