import type { DropPolicy } from '../types.js';
import type { Frame } from '../wire/frame.js';
import { Fifo } from './fifo.js';

/** Stands in a queue where frames were lost; it becomes the gap event when the client gets there. */
export const LOSS = Symbol('loss');

/** What a queue holds. */
export type Entry = Frame | typeof LOSS;

/** Bounds of the live part of a queue. */
export interface QueueLimits {
  maxQueueItems: number;
  maxQueueBytes: number;
  dropPolicy: DropPolicy;
}

/** What became of a frame: `'overflow'` asks for the connection to be closed. */
export type PushOutcome = 'accepted' | 'refused' | 'overflow';

/** Replayed frames, what is lost behind them, and the live ones that follow. */
class Section {
  readonly replay = new Fifo<Entry>();
  live = new Fifo<Entry>();
}

/**
 * What waits for a client that is behind: first the replay, whose frames are shared with the replay log, count toward no
 * limit and are never dropped; then live frames, first in first out, bounded by items and by bytes, frames whole. What is
 * replayed later, for a room that is joined, stands behind the live frames that wait by then, which stay under the limits.
 */
export class Queue {
  /** What comes next; only here are live frames dropped. */
  #front = new Section();
  /** Not empty: each begins with replayed frames. */
  readonly #later = new Fifo<Section>();
  #items = 0;
  #bytes = 0;
  /** Frames dropped from the front since the last look. */
  #droppedOldest = 0;

  /** Live frames that wait. */
  get items(): number {
    return this.#items;
  }

  /** Their UTF-8 bytes. */
  get bytes(): number {
    return this.#bytes;
  }

  get empty(): boolean {
    return this.#peek() === undefined;
  }

  /** How many frames the last pushes dropped from the front; asking resets it. */
  takeDroppedOldest(): number {
    const dropped = this.#droppedOldest;
    this.#droppedOldest = 0;
    return dropped;
  }

  /** Whether a frame can be pushed without losing anything. */
  takes({ byteLength }: Frame, { maxQueueItems, maxQueueBytes }: QueueLimits): boolean {
    return this.#items + 1 <= maxQueueItems && this.#bytes + byteLength <= maxQueueBytes;
  }

  push(frame: Frame, limits: QueueLimits): PushOutcome {
    const { maxQueueItems, maxQueueBytes, dropPolicy } = limits;
    if (frame.byteLength > maxQueueBytes) return this.#refuse();
    if (!this.takes(frame, limits)) {
      if (dropPolicy === 'disconnect') return 'overflow';
      if (dropPolicy === 'newest' || maxQueueItems === 0) return this.#refuse();
      while (!this.takes(frame, limits)) this.#dropOldest();
    }
    this.#last.live.push(frame);
    this.#items += 1;
    this.#bytes += frame.byteLength;
    return 'accepted';
  }

  /** Adds replayed frames behind all that waits. */
  pushReplay(frames: readonly Frame[]): void {
    if (frames.length > 0 && this.#last.live.length > 0) this.#later.push(new Section());
    for (const frame of frames) this.#last.replay.push(frame);
  }

  /** Takes what comes next: as many frames as fit in `bytes`, at least one if there is one, and that behind a loss with it. */
  take(bytes: number): Entry[] {
    const taken: Entry[] = [];
    let room = bytes;
    let last: Entry = LOSS;
    for (let next = this.#peek(); next !== undefined; next = this.#peek()) {
      if (next !== LOSS) {
        if (last !== LOSS && next.byteLength > room) break;
        room -= next.byteLength;
      }
      taken.push(next);
      last = next;
      this.#shift();
    }
    return taken;
  }

  get #last(): Section {
    return this.#later.last() ?? this.#front;
  }

  #peek(): Entry | undefined {
    return this.#front.replay.peek() ?? this.#front.live.peek();
  }

  #shift(): void {
    const { replay, live } = this.#front;
    if (replay.shift() === undefined) this.#shiftLive();
    if (replay.length + live.length === 0) this.#front = this.#later.shift() ?? this.#front;
  }

  #shiftLive(): boolean {
    const entry = this.#front.live.shift();
    if (entry === undefined || entry === LOSS) return false;
    this.#items -= 1;
    this.#bytes -= entry.byteLength;
    return true;
  }

  #refuse(): PushOutcome {
    const { live } = this.#last;
    if (live.last() !== LOSS) live.push(LOSS);
    return 'refused';
  }

  #dropOldest(): void {
    const { replay, live } = this.#front;
    if (this.#shiftLive()) this.#droppedOldest += 1;
    if (replay.last() !== LOSS) replay.push(LOSS);
    if (live.peek() === LOSS) live.shift();
    const next = live.length === 0 ? this.#later.shift() : undefined;
    if (next === undefined) return;
    for (let entry = next.replay.shift(); entry !== undefined; entry = next.replay.shift()) replay.push(entry);
    this.#front.live = next.live;
  }
}
