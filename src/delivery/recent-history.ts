import type { HubSettings } from '../options.js';
import type { Counters } from '../stats.js';
import type { GapReason } from '../types.js';
import { encodeEvent, type Frame } from '../wire/frame.js';
import type { Connection } from './connection.js';
import type { Delivery } from './delivery.js';
import type { History } from './history.js';
import { followedId } from './local-ids.js';
import type { KnownPlaces } from './position-index.js';
import type { BufferHolder, HeldScope } from './recent-buffer.js';
import type { Restore, SourceBytes } from './recent-frames.js';
import { Replay } from './replay.js';
import { EVERYONE, roomScope, type Scope, userScope } from './scope.js';
import { ServedRooms } from './served-rooms.js';

/** What it has to work with. */
export interface RecentHistoryParts {
  settings: Pick<HubSettings, 'roomOptions' | 'recentBufferSize' | 'recentTTLMs' | 'recentMaxUsers' | 'recentMaxBytes'>;
  delivery: Delivery;
  counters: Counters;
  instanceId: string;
  /** Knows the places of ids that are unique; absent when ids may be anything. */
  known: KnownPlaces | undefined;
  /** A fresh id for a place in the stream where no event is. */
  positionId(): string;
  restore: Restore;
}

/** Recent events of this instance, which connections that come back are given at once. */
export class RecentHistory implements History {
  readonly #replay: Replay;
  readonly #parts: RecentHistoryParts;
  /** The latest id that stands for a place where no event is, and the place. */
  #mark = { id: '', order: -1 };

  constructor(parts: RecentHistoryParts) {
    this.#parts = parts;
    const { settings, delivery, known } = parts;
    const limits = {
      maxItems: ({ kind, name }: Scope) =>
        (kind === 'room' ? settings.roomOptions(name).historySize : undefined) ?? settings.recentBufferSize,
      ttlMs: settings.recentTTLMs,
      maxScopes: settings.recentMaxUsers,
      maxBytes: settings.recentMaxBytes,
    };
    this.#replay = new Replay(limits, delivery.clock, parts.restore, known);
  }

  get size() {
    return this.#replay.size;
  }

  record(scope: Scope, frame: Frame, holder?: BufferHolder): void {
    this.#replay.record(scope, frame, holder);
  }

  recordBytes(scope: HeldScope, source: SourceBytes, order: number): void {
    this.#replay.recordBytes(scope, source, order);
  }

  clear(scope: Scope | undefined): void {
    this.#replay.clear(scope);
  }

  forget(scope: Scope): void {
    this.#replay.clear(scope);
  }

  enter(connection: Connection, lastEventId: string | undefined): GapReason | undefined {
    if (lastEventId === undefined) return undefined;
    const rooms = [...(connection.rooms ?? [])];
    const scopes = [EVERYONE, userScope(connection.userId), ...rooms.map(roomScope)];
    const known = this.#positionOf(lastEventId, scopes);
    connection.position = known ?? 0;
    return this.#resume(connection, lastEventId, scopes, known === undefined ? 'unknown' : undefined);
  }

  join(connection: Connection, room: string, lastEventId: string | undefined, replay: boolean): GapReason | undefined {
    const { position } = connection;
    if (position === undefined) return undefined;
    connection.served ??= new ServedRooms(position);
    const gap = replay ? this.#resume(connection, lastEventId ?? '', [roomScope(room)], undefined, room) : undefined;
    const from = replay ? position : this.#parts.delivery.order;
    connection.served.joined(room, () => from);
    return gap;
  }

  leave(connection: Connection, room: string): void {
    if (connection.position === undefined) return;
    connection.served ??= new ServedRooms(connection.position);
    connection.served.left(room, this.#parts.delivery.order);
  }

  /** Events may have been missed, or come in another order than the channel's: positions before now are in doubt. */
  tear(ongoing: boolean): void {
    const { delivery } = this.#parts;
    // Where nothing was sent, nobody has a position but by such a place.
    const isAnywhere = delivery.order > 0 || this.#mark.order === 0;
    const whole = isAnywhere ? delivery.nextOrder() : 0;
    this.#replay.tear(ongoing ? Number.POSITIVE_INFINITY : whole);
  }

  left(): void {}

  leaveBehind(): boolean {
    return false;
  }

  cursor(): undefined {
    return undefined;
  }

  /** An id another instance gave to a local event says, before its suffix, which published event it followed. */
  #positionOf(id: string, scopes: readonly Scope[]): number | undefined {
    const known = this.#replay.positionOf(id, scopes);
    if (known !== undefined) return known;
    const followed = followedId(id, this.#parts.instanceId);
    return followed === undefined ? undefined : this.#replay.positionOf(followed, scopes);
  }

  /**
   * Gives a connection what these scopes sent after its position, and tells its client what is no longer there.
   * @param room - it comes to now, perhaps again; absent when it comes at all
   * @returns the gap, which is told to listeners once the connection is live
   */
  #resume(
    connection: Connection,
    lastEventId: string,
    scopes: readonly Scope[],
    unknown: 'unknown' | undefined,
    room?: string,
  ): GapReason | undefined {
    const { position = 0, served } = connection;
    const { frames, lostUpTo, tornUpTo } = this.#replay.since(position, scopes);
    const isHad = room === undefined ? undefined : served?.had(room);
    const resent = frames
      .filter(({ order }) => isHad?.(order) !== true)
      .map((frame) => (frame.order < connection.cursor ? frame.withoutId() : frame));
    this.#parts.counters.replayed += resent.length;
    // What it was there for is not lost on it.
    const had = room !== undefined && tornUpTo <= position && (served?.allUpTo(room, position) ?? 0) >= lostUpTo;
    const reason = unknown ?? (lostUpTo > position && !had ? 'evicted' : undefined);
    if (reason !== undefined) {
      const gap = this.#parts.delivery.gapFrame(lastEventId, reason);
      // Else the client would come back with a position before the loss, and be told of it again.
      if ((resent.at(-1)?.order ?? 0) < Math.max(lostUpTo, 1)) resent.push(this.#cursorFrame());
      if (gap !== undefined) resent.unshift(gap);
    }
    connection.pushReplay(resent);
    return reason;
  }

  /** An empty event that moves a client's last id to here, so that it is told of one gap only once. */
  #cursorFrame(): Frame {
    const order = this.#parts.delivery.order;
    if (this.#mark.order !== order) {
      this.#mark = { id: this.#parts.positionId(), order };
      this.#replay.mark(this.#mark.id, order);
    }
    return encodeEvent({ id: this.#mark.id, event: 'server:cursor', text: '' }, order);
  }
}
