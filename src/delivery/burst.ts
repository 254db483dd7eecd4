import { Frame } from '../wire/frame.js';
import { Chunk } from './chunk.js';

/** A write to a client that keeps up; joining more would only cost memory. */
const JOIN_BYTES = 1024 * 1024;

/**
 * What clients that keep up got in one tick, from the first frame up to this one. Those that got the same share it, and the bytes
 * that are written of it: one frame more for very many clients is one object more.
 */
export class Burst {
  readonly #before: Burst | undefined;
  readonly #frame: Frame;
  /** What a client got that got one frame more, the last time. */
  #next: Burst | undefined;
  #chunks: readonly Chunk[] | undefined;
  /** How many frames it is. */
  readonly length: number;
  /** Their UTF-8 bytes. */
  readonly byteLength: number;

  constructor(frame: Frame, before?: Burst) {
    this.#before = before;
    this.#frame = frame;
    this.length = (before?.length ?? 0) + 1;
    this.byteLength = (before?.byteLength ?? 0) + frame.byteLength;
  }

  /** This, and a frame behind it. */
  with(frame: Frame): Burst {
    if (this.#next === undefined || this.#next.#frame !== frame) this.#next = new Burst(frame, this);
    return this.#next;
  }

  /** Whether this is the last frame of it. */
  endsWith(frame: Frame): boolean {
    return this.#frame === frame;
  }

  /** In the order of sending. */
  get frames(): Frame[] {
    const frames: Frame[] = [];
    for (let each: Burst | undefined = this; each !== undefined; each = each.#before) frames.push(each.#frame);
    return frames.reverse();
  }

  /** What one more client writes of it, chunk by chunk; from the second client on it is shared. */
  claim(): readonly Chunk[] {
    if (this.#chunks === undefined) this.#chunks = chunksOf(this.frames);
    else for (const chunk of this.#chunks) chunk.shared = true;
    return this.#chunks;
  }
}

/** Joins frames to as few chunks as are worth it. */
function chunksOf(frames: readonly Frame[]): Chunk[] {
  const chunks: Chunk[] = [];
  let bytes = 0;
  let from = 0;
  for (const [index, { byteLength }] of frames.entries()) {
    bytes += byteLength;
    if (bytes <= JOIN_BYTES || index === from) continue;
    chunks.push(new Chunk(frames.slice(from, index)));
    bytes = byteLength;
    from = index;
  }
  chunks.push(new Chunk(frames.slice(from)));
  return chunks;
}

/** The frames that a client got. */
export function framesOf(got: Frame | Burst | undefined): Frame[] {
  if (got === undefined) return [];
  return got instanceof Frame ? [got] : got.frames;
}
