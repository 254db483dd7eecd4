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

/**
 * What waits for a client that is behind: first the replay, whose frames are shared with the replay log, count toward no
 * limit and are never dropped; then live frames, first in first out, bounded by items and by bytes, frames whole.
 */
export class Queue {
  readonly #protected = new Fifo<Entry>();
  readonly #live = new Fifo<Entry>();
  #items = 0;
  #bytes = 0;
  /** Frames were dropped from the front of the live part, which is not empty then. */
  #lossAhead = false;
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
    return this.#protected.length === 0 && this.#live.length === 0;
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
    this.#live.push(frame);
    this.#items += 1;
    this.#bytes += frame.byteLength;
    return 'accepted';
  }

  /** Adds replayed frames behind all that waits; what waits counts as replay from then on, so that the order stays. */
  pushReplay(frames: Iterable<Frame>): void {
    for (let entry = this.#shiftLive(); entry !== undefined; entry = this.#shiftLive()) this.#protected.push(entry);
    for (const frame of frames) this.#protected.push(frame);
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
      if (this.#protected.shift() === undefined) this.#shiftLive();
    }
    return taken;
  }

  #peek(): Entry | undefined {
    return this.#protected.peek() ?? (this.#lossAhead ? LOSS : this.#live.peek());
  }

  #shiftLive(): Entry | undefined {
    if (this.#lossAhead) {
      this.#lossAhead = false;
      if (this.#live.peek() === LOSS) this.#live.shift();
      return LOSS;
    }
    const entry = this.#live.shift();
    if (entry !== undefined && entry !== LOSS) {
      this.#items -= 1;
      this.#bytes -= entry.byteLength;
    }
    return entry;
  }

  #refuse(): PushOutcome {
    if (this.#live.last() !== LOSS) this.#live.push(LOSS);
    return 'refused';
  }

  #dropOldest(): void {
    const entry = this.#live.shift();
    this.#lossAhead = true;
    if (entry === undefined || entry === LOSS) return;
    this.#items -= 1;
    this.#bytes -= entry.byteLength;
    this.#droppedOldest += 1;
  }
}
