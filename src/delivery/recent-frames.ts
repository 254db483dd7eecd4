import { Frame } from '../wire/frame.js';
import { Fifo } from './fifo.js';

/** What is told of a frame that goes. */
export type Evicted = Pick<Frame, 'id' | 'order' | 'byteLength' | 'unique'>;

/** Makes the frame at a place out of the text that an event was kept as. */
export type Restore = (source: string, order: number) => Frame;

/** An event of ASCII as the bytes that it came in. */
export interface SourceBytes {
  readonly bytes: Buffer;
  readonly from: number;
  readonly to: number;
  /** Of its frame. */
  readonly byteLength: number;
}

/** Scopes with fewer frames keep them as they are: a ring would cost more. */
const PACK_FROM = 4;
const LEAST_ROOM_BYTES = 1024;
const MAX_PACKED_BYTES = 1280;
const LENGTH_BYTES = 2;
const ORDER_BYTES = 6;
/** Before each text: its length, the byte length of its frame, and the frame's order. */
const HEADER_BYTES = 2 * LENGTH_BYTES + ORDER_BYTES;
const WORD = 2 ** 32;
/** Stands as length where a frame is kept as it is; nothing follows. */
const WHOLE = 0;
/** Is added to the length of a text that is no chunk, but what the frame is restored from. */
const SOURCE = 0x8000;

/**
 * The frames that a scope keeps, first in first out. Packed, small ones of plain ASCII lie as bytes in a ring, outside of
 * the heap, in the form they are sent in: what is kept for a while and then goes is what costs a garbage collector most.
 * They are made frames again for a client that comes back, so it is for scopes whose frames are not shared. What came from
 * elsewhere lies there as the text that it came in, so that where nobody waits for it no other is made.
 */
export class RecentFrames {
  readonly #packs: boolean;
  #length = 0;
  /** The packed frames, and of each other one a mark in its place; not there while none is packed. */
  #ring: Buffer | undefined;
  /** Where the oldest begins. */
  #start = 0;
  /** Where the newest ends: before the oldest, or where that begins, when it lies in the next lap. */
  #end = 0;
  /** Where the last one of the lap before ends; none is cut in two. */
  #lapEnd = 0;
  /** Those kept as they are. */
  readonly #whole = new Fifo<Frame>();

  constructor(packs: boolean) {
    this.#packs = packs;
  }

  get length(): number {
    return this.#length;
  }

  push(frame: Frame): void {
    const isPacked = this.#length >= PACK_FROM && this.#packs && isPackable(frame);
    if (isPacked && this.#ring === undefined) for (let count = 0; count < this.#length; count += 1) this.#mark();
    this.#length += 1;
    if (!isPacked) {
      this.#whole.push(this.#packs ? frame.compact() : frame);
      if (this.#ring !== undefined) this.#mark();
      return;
    }
    const { source, byteLength, order } = frame;
    // The chunk is the very text that is written to the client next: it is put together only once.
    const text = source ?? frame.keepChunk();
    const at = this.#place(text.length, source === undefined ? 0 : SOURCE, byteLength, order);
    this.#ring?.write(text, at, 'latin1');
  }

  /** Whether what is pushed next is packed, if it can be. */
  get packing(): boolean {
    return this.#ring !== undefined && this.#length >= PACK_FROM;
  }

  /** The same as `push`, of a placed event that is small, while it is {@link RecentFrames.packing}. */
  pushBytes({ bytes, from, to, byteLength }: SourceBytes, order: number): void {
    this.#length += 1;
    const at = this.#place(to - from, SOURCE, byteLength, order);
    this.#ring?.set(new Uint8Array(bytes.buffer, bytes.byteOffset + from, to - from), at);
  }

  /** Makes room for so many bytes, and heads them. @returns where they belong */
  #place(length: number, form: number, byteLength: number, order: number): number {
    const ring = this.#withRoom(HEADER_BYTES + length);
    const at = this.#end;
    writeLength(ring, length + form, at);
    writeLength(ring, byteLength, at + LENGTH_BYTES);
    writeOrder(ring, order, at + 2 * LENGTH_BYTES);
    this.#end = at + HEADER_BYTES + length;
    return at + HEADER_BYTES;
  }

  shift(): Evicted | undefined {
    if (this.#length === 0) return undefined;
    this.#length -= 1;
    if (this.#ring === undefined) return this.#whole.shift();
    const ring = this.#ring;
    const length = readLength(ring, this.#start);
    const byteLength = readLength(ring, this.#start + LENGTH_BYTES);
    const order = readOrder(ring, this.#start + 2 * LENGTH_BYTES);
    this.#skip(sizeOf(length));
    return length === WHOLE ? this.#whole.shift() : { id: undefined, order, byteLength, unique: true };
  }

  /** From the newest to the oldest. */
  *newestFirst(restore: Restore): Iterable<Frame> {
    const whole = this.#whole.newestFirst()[Symbol.iterator]();
    if (this.#ring === undefined) {
      yield* this.#whole.newestFirst();
      return;
    }
    const ring = this.#ring;
    for (const at of this.#places(ring).reverse()) {
      const length = readLength(ring, at);
      if (length === WHOLE) {
        const { value } = whole.next();
        if (value !== undefined) yield value;
        continue;
      }
      const order = readOrder(ring, at + 2 * LENGTH_BYTES);
      const text = ring.toString('latin1', at + HEADER_BYTES, at + sizeOf(length));
      yield length > SOURCE ? restore(text, order) : Frame.ofChunk(text, readLength(ring, at + LENGTH_BYTES), order);
    }
  }

  get #wrapped(): boolean {
    return this.#end <= this.#start && this.#end > 0;
  }

  #mark(): void {
    writeLength(this.#withRoom(LENGTH_BYTES), WHOLE, this.#end);
    this.#end += LENGTH_BYTES;
  }

  /** The oldest, of so many bytes, is gone. */
  #skip(bytes: number): void {
    const wrapped = this.#wrapped;
    this.#start += bytes;
    if (this.#length === 0) {
      this.#ring = undefined;
      this.#start = 0;
      this.#end = 0;
    } else if (wrapped && this.#start === this.#lapEnd) this.#start = 0;
  }

  /** Where each begins, from the oldest to the newest. */
  #places(ring: Buffer): number[] {
    const places: number[] = [];
    const wrapped = this.#wrapped;
    let at = this.#start;
    for (let count = 0; count < this.#length; count += 1) {
      if (wrapped && at === this.#lapEnd) at = 0;
      places.push(at);
      at += sizeOf(readLength(ring, at));
    }
    return places;
  }

  /** The ring, with so many bytes free at the end. */
  #withRoom(bytes: number): Buffer {
    this.#ring ??= Buffer.allocUnsafeSlow(LEAST_ROOM_BYTES);
    const ring = this.#ring;
    const wrapped = this.#wrapped;
    if (this.#end + bytes <= (wrapped ? this.#start : ring.length)) return ring;
    if (!wrapped && bytes <= this.#start) {
      this.#lapEnd = this.#end;
      this.#end = 0;
      return ring;
    }
    return this.#grow(ring, bytes);
  }

  #grow(ring: Buffer, bytes: number): Buffer {
    const wrapped = this.#wrapped;
    const older = ring.subarray(this.#start, wrapped ? this.#lapEnd : this.#end);
    const newer = ring.subarray(0, wrapped ? this.#end : 0);
    const used = older.length + newer.length;
    let room = ring.length * 2;
    while (room < used + bytes) room *= 2;
    const next = Buffer.allocUnsafeSlow(room);
    next.set(older);
    next.set(newer, older.length);
    this.#ring = next;
    this.#start = 0;
    this.#end = used;
    return next;
  }
}

const isPackable = (frame: Frame) => frame.placed && frame.byteLength <= MAX_PACKED_BYTES && frame.ascii;

/** What an entry takes in the ring. */
const sizeOf = (length: number) => (length === WHOLE ? LENGTH_BYTES : HEADER_BYTES + (length % SOURCE));

// Byte by byte: Buffer's own methods check each time what is known here.

function writeLength(ring: Buffer, length: number, at: number): void {
  ring[at] = length;
  ring[at + 1] = length >>> 8;
}

const readLength = (ring: Buffer, at: number): number => byteAt(ring, at) | (byteAt(ring, at + 1) << 8);

function writeOrder(ring: Buffer, order: number, at: number): void {
  ring[at] = order;
  ring[at + 1] = order >>> 8;
  ring[at + 2] = order >>> 16;
  ring[at + 3] = order >>> 24;
  writeLength(ring, Math.floor(order / WORD), at + 4);
}

function readOrder(ring: Buffer, at: number): number {
  const low = readLength(ring, at) | (byteAt(ring, at + 2) << 16);
  return low + ((byteAt(ring, at + 3) << 24) >>> 0) + readLength(ring, at + 4) * WORD;
}

const byteAt = (ring: Buffer, at: number): number => ring[at] ?? 0;
