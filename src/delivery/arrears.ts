import type { Frame } from '../wire/frame.js';
import { Chunk } from './chunk.js';
import { LOSS, type PushOutcome, Queue, type QueueLimits } from './queue.js';

/** What is written at once to a client that is behind; small enough that one after the other shows progress. */
const PIECE_BYTES = 64 * 1024;

/** The bytes of large frames, while somebody is given them: however many slow clients are resent one, it is in memory once. */
const cut = new WeakMap<Frame, WeakRef<Buffer>>();

/** A part of a frame that is larger than one write. */
export interface Part {
  bytes: Buffer;
  /** The id that the client has, or will have with the parts that follow; of the first one only. */
  lastId: string | undefined;
}

/** What a client that is behind is still to get, and how it is cut for writing. */
export class Arrears extends Queue {
  /** What is left of a frame larger than one write. The whole is held: a part alone would not keep it where others find it. */
  #rest: { whole: Buffer; from: number } | undefined;
  /** A loss is being told of, and nothing waits behind it. */
  #telling = false;

  override get empty(): boolean {
    return this.#rest === undefined && super.empty;
  }

  /** What a listener of a gap sends then is taken whole: were it refused, that would be a gap to tell of at once, without end. */
  override push(frame: Frame, limits: QueueLimits): PushOutcome {
    if (!this.#telling) return super.push(frame, limits);
    this.pushReplay([frame]);
    return 'accepted';
  }

  /**
   * Takes what is to be written next; `undefined` when nothing waits.
   * @param gapAfter - tells of a loss behind these frames. @returns the frame that tells the client, if it is to be told
   */
  next(gapAfter: (frames: readonly Frame[]) => Frame | undefined): Chunk | Part | undefined {
    if (this.#rest !== undefined) return this.#cut(this.#rest.whole, undefined, this.#rest.from);
    // Taken out first: listeners of a gap may send, and what they push out must not be of this.
    for (let entries = this.take(PIECE_BYTES); entries.length > 0; entries = this.take(PIECE_BYTES)) {
      const frames: Frame[] = [];
      this.#telling = this.empty;
      for (const entry of entries) {
        const frame = entry === LOSS ? gapAfter(frames) : entry;
        if (frame !== undefined) frames.push(frame);
      }
      this.#telling = false;
      if (frames.length === 0) continue;
      const chunk = new Chunk(frames);
      return chunk.byteLength <= PIECE_BYTES ? chunk : this.#cut(bytesOf(chunk, frames), chunk.lastId);
    }
    return undefined;
  }

  #cut(whole: Buffer, lastId: string | undefined, from = 0): Part {
    const to = from + PIECE_BYTES;
    this.#rest = whole.length > to ? { whole, from: to } : undefined;
    return { bytes: whole.subarray(from, to), lastId };
  }
}

function bytesOf(chunk: Chunk, [frame, another]: readonly Frame[]): Buffer {
  // Only what tells of a loss goes before such a frame, to one client.
  if (frame === undefined || another !== undefined) return chunk.bytes;
  const bytes = cut.get(frame)?.deref() ?? chunk.bytes;
  cut.set(frame, new WeakRef(bytes));
  return bytes;
}
