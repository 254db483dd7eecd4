import type { Reporter } from '../events.js';
import type { ConnectionSettings } from '../options.js';
import type { Counters } from '../stats.js';
import type { DisconnectReason, GapReason } from '../types.js';
import { encodeEvent, type Frame } from '../wire/frame.js';
import type { Clock } from './clock.js';
import type { Connection, ConnectionHost } from './connection.js';
import { Flusher } from './flusher.js';
import { followedId } from './local-ids.js';
import { Registry } from './registry.js';
import { Replay, type ReplayLimits } from './replay.js';
import { roomScope, type Scope } from './scope.js';
import { ServedRooms } from './served-rooms.js';

/** What delivery is told by the class. */
export interface DeliveryParts {
  clock: Clock;
  counters: Counters;
  reporter: Reporter;
  limits: ReplayLimits;
  gapEvent: string | false;
  instanceId: string;
  heartbeat(settings: ConnectionSettings): Frame;
  /** A fresh id for a place in the stream where no event is. */
  positionId(): string;
}

/** Records frames and fans them out. Nothing in here is awaited: that is why nothing is lost between replay and live. */
export class Delivery implements ConnectionHost {
  readonly registry = new Registry();
  readonly flusher = new Flusher();
  readonly replay: Replay;
  readonly clock: Clock;
  readonly instanceId: string;
  readonly #parts: DeliveryParts;
  /** Connections that take nothing any more, but whose responses are not over. */
  readonly #leaving = new Set<Connection>();
  #whenEmpty: (() => void)[] = [];
  #order = 0;
  /** The latest id that stands for a place where no event is, and the place. */
  #mark = { id: '', order: -1 };

  constructor(parts: DeliveryParts) {
    this.#parts = parts;
    this.clock = parts.clock;
    this.instanceId = parts.instanceId;
    this.replay = new Replay(parts.limits, parts.clock);
  }

  /** The next place in the send order. */
  nextOrder(): number {
    this.#order += 1;
    return this.#order;
  }

  /** Records a frame and gives it to all that it is for. @returns how many accepted it */
  deliver(scope: Scope, frame: Frame): number {
    this.replay.record(scope, frame);
    if (scope.kind === 'all') return this.fanOut(this.registry.all, frame);
    const targets = (scope.kind === 'user' ? this.registry.users : this.registry.rooms).get(scope.name);
    if (targets === undefined) return 0;
    return targets instanceof Set ? this.fanOut(targets, frame) : this.#give(targets, frame);
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

  /** Takes a connection in: what it missed first, then it is live, in one step. */
  enter(connection: Connection, lastEventId: string | undefined, rooms: readonly string[], scopes: Scope[]): void {
    let gap: GapReason | undefined;
    if (lastEventId !== undefined && lastEventId !== '') {
      const known = this.#positionOf(lastEventId, scopes);
      connection.position = known ?? 0;
      gap = this.#resume(connection, lastEventId, scopes, known === undefined ? 'unknown' : undefined);
    }
    this.registry.add(connection);
    for (const room of rooms) this.registry.join(connection, room);
    if (gap !== undefined) this.#tellGap(connection, lastEventId ?? '', gap);
  }

  join(connection: Connection, room: string, lastEventId: string | undefined, replay: boolean): boolean {
    if (!connection.open || connection.rooms?.has(room) === true) return false;
    const { position } = connection;
    let gap: GapReason | undefined;
    if (position !== undefined && lastEventId !== undefined) {
      connection.served ??= new ServedRooms(position);
      const { served } = connection;
      if (replay) {
        const unseen = (order: number) => !served.has(room, order);
        gap = this.#resume(connection, lastEventId, [roomScope(room)], undefined, unseen);
      }
      served.joined(room, replay ? position : this.#order);
    }
    this.registry.join(connection, room);
    if (gap !== undefined) this.#tellGap(connection, lastEventId ?? '', gap);
    return true;
  }

  leave(connection: Connection, room: string): boolean {
    if (!this.registry.leave(connection, room)) return false;
    if (connection.position !== undefined) {
      connection.served ??= new ServedRooms(connection.position);
      connection.served.left(room, this.#order);
    }
    return true;
  }

  /** Events may have been missed, or come in another order than the channel's: positions before now are in doubt. */
  tear(): void {
    this.replay.tear(this.nextOrder());
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

  dropped(oldest: number, newest: number): void {
    this.#parts.counters.droppedOldest += oldest;
    this.#parts.counters.droppedNewest += newest;
  }

  queued(items: number, bytes: number): void {
    const { counters } = this.#parts;
    counters.queueItemsMax = Math.max(counters.queueItemsMax, items);
    counters.queueBytesMax = Math.max(counters.queueBytesMax, bytes);
  }

  heartbeat(settings: ConnectionSettings): Frame {
    return this.#parts.heartbeat(settings);
  }

  gap(connection: Connection, lastEventId: string, reason: GapReason): Frame | undefined {
    this.#tellGap(connection, lastEventId, reason);
    return this.#gapFrame(lastEventId, reason);
  }

  left(connection: Connection, reason: DisconnectReason): void {
    const { counters, reporter } = this.#parts;
    if (!this.registry.all.has(connection)) return;
    this.registry.remove(connection);
    this.#leaving.add(connection);
    if (reason === 'backpressure') counters.disconnectedByBackpressure += 1;
    if (reason === 'stalled') counters.disconnectedByStall += 1;
    const { userId, connId, connectedAt } = connection;
    reporter.tell('disconnect', () => ({
      userId,
      connId,
      reason,
      durationMs: Math.round(this.clock.now() - connectedAt),
    }));
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

  /** An id another instance gave to a local event says, before its suffix, which published event it followed. */
  #positionOf(id: string, scopes: readonly Scope[]): number | undefined {
    const known = this.replay.positionOf(id, scopes);
    if (known !== undefined) return known;
    const followed = followedId(id, this.#parts.instanceId);
    return followed === undefined ? undefined : this.replay.positionOf(followed, scopes);
  }

  /**
   * Gives a connection what these scopes sent after its position, and tells its client what is no longer there.
   * @returns the gap, which is told to listeners once the connection is live
   */
  #resume(
    connection: Connection,
    lastEventId: string,
    scopes: readonly Scope[],
    unknown: 'unknown' | undefined,
    wanted: (order: number) => boolean = () => true,
  ): GapReason | undefined {
    const position = connection.position ?? 0;
    const { frames, lostUpTo } = this.replay.since(position, scopes);
    const resent = frames
      .filter(({ order }) => wanted(order))
      .map((frame) => (frame.order < connection.cursor ? frame.withoutId() : frame));
    this.#parts.counters.replayed += resent.length;
    const reason = unknown ?? (lostUpTo > position ? 'evicted' : undefined);
    if (reason !== undefined) {
      const gap = this.#gapFrame(lastEventId, reason);
      // Else the client would come back with a position before the loss, and be told of it again.
      if ((resent.at(-1)?.order ?? 0) < Math.max(lostUpTo, 1)) resent.push(this.#cursorFrame());
      if (gap !== undefined) resent.unshift(gap);
    }
    connection.pushReplay(resent);
    return reason;
  }

  #gapFrame(lastEventId: string, reason: GapReason): Frame | undefined {
    const { gapEvent } = this.#parts;
    if (gapEvent === false) return undefined;
    return encodeEvent({ event: gapEvent, text: JSON.stringify({ lastEventId, reason }) }, 0);
  }

  #tellGap({ userId, connId }: Connection, lastEventId: string, reason: GapReason): void {
    this.#parts.counters.gaps[reason] += 1;
    this.#parts.reporter.tell('gap', () => ({ userId, connId, lastEventId, reason }));
  }

  /** An empty event that moves a client's last id to here, so that it is told of one gap only once. */
  #cursorFrame(): Frame {
    if (this.#mark.order !== this.#order) {
      this.#mark = { id: this.#parts.positionId(), order: this.#order };
      this.replay.mark(this.#mark.id, this.#order);
    }
    return encodeEvent({ id: this.#mark.id, event: 'server:cursor', text: '' }, this.#order);
  }
}
