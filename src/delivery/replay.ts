import { ownText } from '../own-text.js';
import type { Frame } from '../wire/frame.js';
import type { Clock, Wakeable } from './clock.js';
import { Dormant, type Loss } from './dormant.js';
import { type KnownPlaces, PositionIndex } from './position-index.js';
import { type BufferHolder, type HeldScope, RecentBuffer } from './recent-buffer.js';
import type { Evicted, Restore, SourceBytes } from './recent-frames.js';
import { EVERYONE, type Scope } from './scope.js';

/** Bounds of what is kept. */
export interface ReplayLimits {
  /** Events a scope keeps. */
  maxItems(scope: Scope): number;
  /** Idle time after which a user's or room's buffer goes; 0 = never. */
  ttlMs: number;
  /** User and room buffers. */
  maxScopes: number;
  /** UTF-8 bytes over all buffers. */
  maxBytes: number;
}

/** Idle buffers that go at once: of very many all may be due at the same time. */
const DROPPED_AT_ONCE = 100;

/** What a client missed. */
export interface Missed {
  /** What is still there of it, in send order. */
  frames: Frame[];
  /** The newest place at which one of the scopes has lost something; a client before it has missed that. */
  lostUpTo: number;
  /** The newest place before which events may never have got here; none that is kept, or lost, tells of them. */
  tornUpTo: number;
}

/** Recent events of every scope, each event once, and what of them is lost. */
export class Replay implements Wakeable {
  wakeSlot: number | undefined;

  readonly #limits: ReplayLimits;
  readonly #clock: Clock;
  readonly #restore: Restore;
  readonly #index: PositionIndex;
  /** Everyone's buffer is in no list: it is neither dropped when idle nor when others are used more. */
  readonly #everyone: RecentBuffer;
  readonly #buffers = { user: new Map<string, RecentBuffer>(), room: new Map<string, RecentBuffer>() };
  readonly #dormant = { user: new Dormant(), room: new Dormant() };
  #leastUsed: RecentBuffer | undefined;
  #mostUsed: RecentBuffer | undefined;
  #bytes = 0;
  #items = 0;
  /** Positions before it may have missed events that never got here. */
  #tornUpTo = 0;

  constructor(limits: ReplayLimits, clock: Clock, restore: Restore, known?: KnownPlaces) {
    this.#index = new PositionIndex(known);
    this.#limits = limits;
    this.#clock = clock;
    this.#restore = restore;
    const nothing = { id: undefined, order: 0, unique: false };
    this.#everyone = new RecentBuffer(EVERYONE, limits.maxItems(EVERYONE), nothing);
  }

  /** What is kept now. */
  get size(): { buffers: number; items: number; bytes: number } {
    const { user, room } = this.#buffers;
    return { buffers: user.size + room.size, items: this.#items, bytes: this.#bytes };
  }

  /** Keeps a frame; one without an id is live only. @param holder - has the scope's buffer at hand from then on */
  record(scope: Scope, frame: Frame, holder?: BufferHolder): void {
    if (!frame.hasId) return;
    const buffer = this.#use(scope, holder, this.#clock.now());
    buffer.push(frame);
    this.#index.add(frame);
    this.#kept(buffer, frame.byteLength);
  }

  /** Keeps an event, whose id tells its place, as bytes, in a buffer that is packing. */
  recordBytes(scope: HeldScope, source: SourceBytes, order: number): void {
    const buffer = this.#use(scope, 'recent' in scope ? scope : undefined, this.#clock.turn());
    buffer.pushBytes(source, order);
    this.#kept(buffer, source.byteLength);
  }

  #use(scope: Scope, holder: BufferHolder | undefined, now: number): RecentBuffer {
    this.#dropIdle(now);
    return this.#open(scope, now, holder);
  }

  #kept(buffer: RecentBuffer, byteLength: number): void {
    this.#items += 1;
    this.#bytes += byteLength;
    // It could not stay anyway; everyone else's events are not to go for it.
    if (byteLength > this.#limits.maxBytes) this.#empty(buffer);
    if (buffer.length > buffer.maxItems) this.#evictOldest(buffer);
    const { user, room } = this.#buffers;
    while (this.#leastUsed !== undefined && user.size + room.size > this.#limits.maxScopes) this.#drop(this.#leastUsed);
    while (this.#bytes > this.#limits.maxBytes) this.#evictOldest(this.#leastUsed ?? this.#everyone);
  }

  /**
   * The place in the send order that an id stands for, seen by a connection with these scopes; `undefined` when it is not
   * known. Of several events with that id it is the first that this connection could see. When it can see none, but one
   * was forgotten, that may be the one its client saw: then the others say nothing about its place. An id whose place was
   * forgotten is looked for among what this connection's scopes keep.
   */
  positionOf(id: string, scopes: readonly Scope[]): number | undefined {
    const places = this.#index.find(id);
    if (typeof places === 'number' || (places === undefined && !this.#index.mayHaveForgotten(id))) return places;
    const [first] = scopes.flatMap((scope) => this.#ordersIn(scope, id)).sort((a, b) => a - b);
    if (first !== undefined || places === undefined || places.forgotten) return first;
    const [earliest] = places.orders;
    return earliest;
  }

  /** What these scopes sent after a position. */
  since(position: number, scopes: readonly Scope[]): Missed {
    this.#dropIdle(this.#clock.now());
    const frames: Frame[] = [];
    let lostUpTo = this.#tornUpTo;
    for (const scope of scopes) {
      const buffer = this.#find(scope);
      lostUpTo = Math.max(lostUpTo, this.#lossOf(scope, buffer).order);
      for (const frame of buffer?.newestFirst(this.#restore) ?? []) {
        if (frame.order <= position) break;
        frames.push(frame);
      }
    }
    return { frames: frames.sort((a, b) => a.order - b.order), lostUpTo, tornUpTo: this.#tornUpTo };
  }

  /** Makes an id stand for the place right after `order`, where no event of its own is. */
  mark(id: string, order: number): void {
    this.#index.mark(id, order);
  }

  /** From `order` on the history is whole again; whoever stood before it may have missed something. */
  tear(order: number): void {
    this.#tornUpTo = order;
  }

  /** Drops one scope's events, or everyone's and all others'. */
  clear(scope?: Scope): void {
    if (scope !== undefined) {
      const buffer = this.#find(scope);
      if (buffer !== undefined) this.#empty(buffer);
      return;
    }
    while (this.#leastUsed !== undefined) this.#drop(this.#leastUsed);
    this.#empty(this.#everyone);
  }

  wake(now: number): number | undefined {
    this.#dropIdle(now);
    return this.#leastUsed === undefined ? undefined : this.#leastUsed.usedAt + this.#limits.ttlMs;
  }

  #find(scope: Scope): RecentBuffer | undefined {
    return scope.kind === 'all' ? this.#everyone : this.#buffers[scope.kind].get(scope.name);
  }

  /** The places that an id has in one scope. */
  #ordersIn(scope: Scope, id: string): number[] {
    const buffer = this.#find(scope);
    const lost = this.#lossOf(scope, buffer);
    const isLost = lost.id === id || (lost.unique && this.#index.placeOf(id) === lost.order);
    const orders = isLost ? [lost.order] : [];
    for (const frame of buffer?.newestFirst(this.#restore) ?? []) if (frame.id === id) orders.push(frame.order);
    return orders;
  }

  #lossOf(scope: Scope, buffer: RecentBuffer | undefined): Loss {
    return buffer?.loss ?? this.#dormant[scope.kind === 'room' ? 'room' : 'user'].lossOf(scope.name ?? '');
  }

  /** The scope's buffer, made when it has none, as the one used last. */
  #open(scope: Scope, now: number, holder: BufferHolder | undefined): RecentBuffer {
    if (scope.kind === 'all') return this.#everyone;
    const held = holder?.recent;
    let buffer = held?.dropped === false ? held : this.#buffers[scope.kind].get(scope.name);
    if (buffer === undefined) {
      buffer = new RecentBuffer(scope, this.#limits.maxItems(scope), this.#dormant[scope.kind].wake(scope.name));
      this.#buffers[scope.kind].set(scope.name, buffer);
    } else {
      this.#unlink(buffer);
    }
    if (holder !== undefined) holder.recent = buffer;
    buffer.usedAt = Math.floor(now);
    buffer.older = this.#mostUsed;
    if (this.#mostUsed === undefined) this.#leastUsed = buffer;
    else this.#mostUsed.newer = buffer;
    this.#mostUsed = buffer;
    if (this.#limits.ttlMs > 0 && this.wakeSlot === undefined) this.#clock.wakeAt(this, now + this.#limits.ttlMs);
    return buffer;
  }

  #unlink(buffer: RecentBuffer): void {
    if (buffer.older === undefined) this.#leastUsed = buffer.newer;
    else buffer.older.newer = buffer.newer;
    if (buffer.newer === undefined) this.#mostUsed = buffer.older;
    else buffer.newer.older = buffer.older;
    buffer.older = undefined;
    buffer.newer = undefined;
  }

  #dropIdle(now: number): void {
    const { ttlMs } = this.#limits;
    if (ttlMs === 0) return;
    for (let dropped = 0; dropped < DROPPED_AT_ONCE; dropped += 1) {
      if (this.#leastUsed === undefined || now - this.#leastUsed.usedAt < ttlMs) return;
      this.#drop(this.#leastUsed);
    }
  }

  /** A frame was taken out of a buffer: it is now the newest that its scope has lost. */
  #lose(frame: Evicted, buffer: RecentBuffer): void {
    this.#items -= 1;
    this.#bytes -= frame.byteLength;
    this.#index.remove(buffer.lostId, buffer.lostOrder);
    // Of an id that tells its place the place is enough, and its text may go.
    buffer.lostId = this.#index.keeps(frame) ? frame.id : undefined;
    buffer.lostOrder = frame.order;
    buffer.lostUnique = frame.unique;
  }

  /** Loses the oldest frame; its id stays known as the scope's newest loss. */
  #evictOldest(buffer: RecentBuffer): void {
    if (buffer.length === 1 && buffer !== this.#everyone) {
      this.#drop(buffer);
      return;
    }
    const frame = buffer.shift();
    if (frame !== undefined) this.#lose(frame, buffer);
  }

  #empty(buffer: RecentBuffer): void {
    if (buffer !== this.#everyone) this.#drop(buffer);
    else while (buffer.length > 0) this.#evictOldest(buffer);
  }

  #drop(buffer: RecentBuffer): void {
    const { scope } = buffer;
    if (scope.kind === 'all') return;
    this.#unlink(buffer);
    buffer.dropped = true;
    this.#buffers[scope.kind].delete(scope.name);
    // A quiet user's client comes back with this one, however much was sent to others since.
    const lastId = this.#index.forgets ? this.#newestId(buffer) : undefined;
    for (let frame = buffer.shift(); frame !== undefined; frame = buffer.shift()) {
      this.#lose(frame, buffer);
    }
    buffer.lostId = lastId ?? buffer.lostId;
    const forgotten = this.#dormant[scope.kind].remember(scope.name, buffer.loss);
    if (forgotten !== undefined) this.#index.remove(forgotten.id, forgotten.order);
  }

  /** The id of the newest frame. */
  #newestId(buffer: RecentBuffer): string | undefined {
    for (const { id } of buffer.newestFirst(this.#restore)) return id === undefined ? id : ownText(id);
    return undefined;
  }
}
