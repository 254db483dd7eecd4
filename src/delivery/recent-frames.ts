import { Frame } from '../wire/frame.js';
import { Fifo } from './fifo.js';

/** What is told of a frame that goes. */
export type Evicted = Pick<Frame, 'id' | 'order' | 'byteLength' | 'unique'>;

/** Scopes with fewer frames keep them as they are: a buffer would cost more. */
const PACK_FROM = 4;
const LEAST_ROOM_BYTES = 1024;
const MAX_PACKED_BYTES = 1280;
/** More than any length of an id that is read from its text. */
const ID_LENGTHS = 256;

/**
 * The frames that a scope keeps, first in first out. Packed, small ones of plain ASCII lie as bytes in one buffer, outside of
 * the heap: what is kept for a while and then goes is what costs a garbage collector most. They are made frames again for
 * a client that comes back, so it is for scopes whose frames are not shared.
 */
export class RecentFrames {
  /** Frames, and of the packed ones their orders. */
  readonly #entries = new Fifo<Frame | number>();
  /** Of the packed ones: byte length * 256 + length of the id. */
  readonly #shapes = new Fifo<number>();
  readonly #packs: boolean;
  #bytes: Buffer | undefined;
  #start = 0;
  #end = 0;

  constructor(packs: boolean) {
    this.#packs = packs;
  }

  get length(): number {
    return this.#entries.length;
  }

  push(frame: Frame): void {
    const { byteLength, idLength } = frame;
    const fits = this.#packs && idLength !== undefined && idLength < ID_LENGTHS && byteLength <= MAX_PACKED_BYTES;
    // The text comes last: of a frame that nobody reads it need not be made.
    if (!fits || this.length < PACK_FROM || frame.text.length !== byteLength) {
      this.#entries.push(frame);
      return;
    }
    const bytes = this.#withRoom(byteLength);
    this.#end += bytes.write(frame.text, this.#end, 'latin1');
    this.#shapes.push(byteLength * ID_LENGTHS + idLength);
    this.#entries.push(frame.order);
  }

  shift(): Evicted | undefined {
    const entry = this.#entries.shift();
    if (typeof entry !== 'number') return entry;
    const byteLength = byteLengthOf(this.#shapes.shift() ?? 0);
    this.#start += byteLength;
    if (this.#start === this.#end) {
      this.#start = 0;
      this.#end = 0;
    }
    return { id: undefined, order: entry, byteLength, unique: true };
  }

  /** From the newest to the oldest. */
  *newestFirst(): Iterable<Frame> {
    const shapes = this.#shapes.newestFirst()[Symbol.iterator]();
    let to = this.#end;
    for (const entry of this.#entries.newestFirst()) {
      if (typeof entry !== 'number') {
        yield entry;
        continue;
      }
      const shape: number = shapes.next().value ?? 0;
      const from = to - byteLengthOf(shape);
      yield new Frame(this.#bytes?.toString('latin1', from, to) ?? '', entry, shape % ID_LENGTHS, true);
      to = from;
    }
  }

  /** The buffer, with so many bytes free behind what is in it. */
  #withRoom(byteLength: number): Buffer {
    const bytes = this.#bytes;
    if (bytes !== undefined && this.#end + byteLength <= bytes.length) return bytes;
    const used = this.#end - this.#start;
    const needed = used + byteLength;
    let next = bytes;
    // A quarter free, so that it is seldom that all is moved to the front.
    if (next === undefined || needed > next.length * 0.75) {
      let room = next?.length ?? LEAST_ROOM_BYTES;
      while (needed > room * 0.75) room *= 2;
      next = Buffer.allocUnsafeSlow(room);
    }
    bytes?.copy(next, 0, this.#start, this.#end);
    this.#bytes = next;
    this.#start = 0;
    this.#end = used;
    return next;
  }
}

const byteLengthOf = (shape: number): number => Math.floor(shape / ID_LENGTHS);
