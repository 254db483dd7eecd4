import type { GapReason } from '../../types.js';
import type { Frame } from '../../wire/frame.js';
import { BEGINNING, compareStreamIds, type StreamId } from '../../wire/stream-id.js';
import type { Scope } from '../scope.js';
import { type Neighbour, wasTold } from './told.js';
import { Track } from './track.js';

/** A place in the log that is not whole: who passes it has missed something. */
export interface Break {
  order: number;
  id: StreamId;
  reason: GapReason;
}

/** A piece of what the ring holds for someone. */
export interface Piece {
  frames: Frame[];
  /** The place up to which this is all there is. */
  upTo: number;
  /** The break at that place. */
  broken: Break | undefined;
}

/** Something that is no event. */
interface Other extends Neighbour {
  order: number;
}

interface Kept {
  order: number;
  id: StreamId;
  frame: Frame;
  scope: Scope;
}

/** What an event costs beside its text: frame, id, and its places in the lists. */
const EVENT_BYTES = 320;
/** Events that go with one that comes: after a pause all that are here may be older than the window. */
const EVICTED_AT_ONCE = 100;
/** Positions before those that are known may be anything. */
const MAX_OTHERS = 10_000;
/** A quiet log keeps events for longer than its window, and positions before them count as long. */
const MAX_VOIDS = 1000;
const PIECE_FRAMES = 500;
const PIECE_BYTES = 256 * 1024;
/** Events among which a piece is looked for at once: each of a thousand rooms may have very many of them. */
const PIECE_AMONG = 8000;

/**
 * The newest part of the log in memory, by scope. Places in it are numbers of this instance, ascending; a position of the log
 * finds its place by its id.
 */
export class Ring {
  readonly #windowMs: number;
  readonly #maxBytes: number;
  readonly #kept = new Track<Kept>();
  readonly #everyone = new Track<Frame>();
  readonly #tracks = { user: new Map<string, Track<Frame>>(), room: new Map<string, Track<Frame>>() };
  readonly #breaks = new Track<Break>();
  /** What else stands among the events, but for a tick that another has taken the place of. */
  readonly #others = new Track<Other>();
  /** Of what stood before it not all is known. */
  #forgotten: StreamId = BEGINNING;
  /** Stretches in which nothing stands: a position in one is of what the log has lost. */
  readonly #voids: { from: StreamId; to: StreamId }[] = [];
  #bytes = 0;
  /** The oldest position from which on everything is here. */
  #floor: StreamId | undefined;
  /** The place before the oldest event. */
  #begin = 0;
  #last: { order: number; id: StreamId } = { order: 0, id: BEGINNING };

  constructor(windowMs: number, maxBytes: number) {
    this.#windowMs = windowMs;
    this.#maxBytes = maxBytes;
  }

  get size(): { buffers: number; items: number; bytes: number } {
    const { user, room } = this.#tracks;
    return { buffers: user.size + room.size, items: this.#kept.length, bytes: this.#bytes };
  }

  /** The place before the oldest event that is here. */
  get begin(): number {
    return this.#begin;
  }

  /** Whether everything after a position is here. */
  reaches(position: StreamId): boolean {
    return this.#floor !== undefined && compareStreamIds(this.#floor, position) <= 0;
  }

  /** The newest place. */
  get last(): { order: number; id: StreamId } {
    return this.#last;
  }

  /** Holds an event. `frame.order` is its place. */
  append(id: StreamId, scope: Scope, frame: Frame): void {
    this.moveTo(id, frame.order);
    this.#kept.push({ order: frame.order, id, frame, scope });
    this.#trackOf(scope).push(frame);
    this.#bytes += frame.byteLength + EVENT_BYTES;
    this.#evict();
  }

  /** Something that is no event stands here. */
  pass({ id, since, prev }: Neighbour, tickSeq: number): void {
    const { order } = this.#last;
    // A client that was told of an earlier tick has missed nothing where the log begins with this one.
    if (since !== undefined) this.moveTo(since, order);
    this.moveTo(id, order);
    const before = this.#others.at(this.#others.length - 1);
    const isSame = since !== undefined && before?.since !== undefined && compareStreamIds(before.since, since) === 0;
    if (isSame && before.id.seq === tickSeq) before.id = id;
    else this.#others.push({ order, id, since, prev });
    if (this.#others.length > MAX_OTHERS) this.#forgotten = this.#others.shift()?.id ?? id;
  }

  /** This is the newest place now. */
  moveTo(id: StreamId, order: number): void {
    this.#last = { order, id };
    if (this.#floor !== undefined) return;
    this.#floor = id;
    this.#begin = order - 1;
  }

  breakAt(id: StreamId, order: number, reason: GapReason): void {
    this.moveTo(id, order);
    this.#breaks.push({ order, id, reason });
  }

  /** Nothing stands between these two. */
  emptyBetween(from: StreamId, to: StreamId): void {
    if (this.#voids.push({ from, to }) > MAX_VOIDS) this.#voids.shift();
  }

  /** The end of the void that a position lies in; `undefined` when it lies in none, or when a break behind it tells of the loss. */
  endOfVoid(position: StreamId): StreamId | undefined {
    const broken = this.#breaks.at(this.#breaks.length - 1)?.id ?? BEGINNING;
    const isIn = ({ from, to }: { from: StreamId; to: StreamId }) =>
      compareStreamIds(from, position) < 0 && compareStreamIds(position, to) < 0 && compareStreamIds(broken, to) < 0;
    return this.#voids.find(isIn)?.to;
  }

  /** Whether a position that the ring holds is of another log: nobody can have been told of it. */
  isForeign(position: StreamId, tickSeq: number): boolean {
    const isNoLater = (than: StreamId) => compareStreamIds(position, than) <= 0;
    if (isNoLater(this.#floor ?? position) || isNoLater(this.#forgotten)) return false;
    const isNotBefore = ({ id }: Neighbour) => isNoLater(id);
    const broken = this.#breaks.at(this.#breaks.first(isNotBefore));
    let next: Neighbour | undefined = broken;
    for (const each of [
      this.#kept.at(this.#kept.first(isNotBefore)),
      this.#others.at(this.#others.first(isNotBefore)),
    ]) {
      if (each !== undefined && (next === undefined || compareStreamIds(each.id, next.id) < 0)) next = each;
    }
    // Who passes a break is told of it.
    return next !== undefined && next !== broken && !wasTold(position, next, tickSeq);
  }

  /** The place of a position that the ring holds: that of the newest entry up to it. */
  placeOf(position: StreamId): number {
    const isBehind = ({ id }: { id: StreamId }) => compareStreamIds(id, position) > 0;
    const kept = this.#kept.at(this.#kept.first(isBehind) - 1)?.order ?? 0;
    const broken = this.#breaks.at(this.#breaks.first(isBehind) - 1)?.order ?? 0;
    return Math.max(kept, broken, this.#begin);
  }

  /** The place of a scope's newest event. */
  newestOf(scope: Scope): number {
    const track = this.#find(scope);
    return track?.at(track.length - 1)?.order ?? Number.NEGATIVE_INFINITY;
  }

  /** What comes after a place for these scopes; of rooms only what counts. */
  after(place: number, scopes: readonly Scope[], counts = (_room: string, _order: number): boolean => true): Piece {
    const broken = this.#breaks.at(this.#breaks.firstAfter(place));
    const until = Math.min(
      broken?.order ?? this.#last.order,
      this.#kept.at(this.#kept.firstAfter(place) + PIECE_AMONG)?.order ?? Number.POSITIVE_INFINITY,
    );
    const frames: Frame[] = [];
    let more = false;
    for (const scope of scopes) {
      const track = this.#find(scope);
      if (track === undefined) continue;
      let taken = 0;
      for (let index = track.firstAfter(place); ; index += 1) {
        const frame = track.at(index);
        if (frame === undefined || frame.order > until) break;
        if (scope.kind === 'room' && !counts(scope.name, frame.order)) continue;
        if (taken === PIECE_FRAMES) {
          more = true;
          break;
        }
        taken += 1;
        frames.push(frame);
      }
    }
    if (scopes.length > 1) frames.sort((a, b) => a.order - b.order);
    const length = lengthOfPiece(frames);
    if (!more && length === frames.length)
      return { frames, upTo: until, broken: broken?.order === until ? broken : undefined };
    frames.length = length;
    return { frames, upTo: frames.at(-1)?.order ?? place, broken: undefined };
  }

  #evict(): void {
    const oldestMs = this.#last.id.ms - this.#windowMs;
    let evicted = 0;
    for (let kept = this.#kept.at(0); kept !== undefined; kept = this.#kept.at(0)) {
      if (this.#bytes <= this.#maxBytes && (kept.id.ms >= oldestMs || evicted === EVICTED_AT_ONCE)) return;
      evicted += 1;
      this.#kept.shift();
      this.#bytes -= kept.frame.byteLength + EVENT_BYTES;
      this.#floor = kept.id;
      this.#begin = kept.order;
      const track = this.#find(kept.scope);
      track?.shift();
      if (track?.length === 0 && kept.scope.kind !== 'all') this.#tracks[kept.scope.kind].delete(kept.scope.name);
      while ((this.#breaks.at(0)?.order ?? Number.POSITIVE_INFINITY) <= kept.order) this.#breaks.shift();
    }
  }

  #find(scope: Scope): Track<Frame> | undefined {
    return scope.kind === 'all' ? this.#everyone : this.#tracks[scope.kind].get(scope.name);
  }

  #trackOf(scope: Scope): Track<Frame> {
    if (scope.kind === 'all') return this.#everyone;
    const tracks = this.#tracks[scope.kind];
    let track = tracks.get(scope.name);
    if (track === undefined) {
      track = new Track();
      tracks.set(scope.name, track);
    }
    return track;
  }
}

/** How many frames go into one piece: at least one. */
function lengthOfPiece(frames: readonly Frame[]): number {
  let bytes = 0;
  for (const [index, { byteLength }] of frames.entries()) {
    bytes += byteLength;
    if (index >= PIECE_FRAMES || (bytes > PIECE_BYTES && index > 0)) return index;
  }
  return frames.length;
}
