import { Frame } from '../wire/frame.js';

/** One frame or several; one is the usual case and needs no array. */
export type Frames = Frame | readonly Frame[];

/** What one write takes: frames joined, as text while one connection writes them, as one Buffer when several do. */
export class Chunk {
  readonly frames: Frames;
  readonly byteLength: number;
  /** The newest id in it. */
  readonly lastId: string | undefined;
  /** Several connections write it. */
  shared = false;
  /** Of several frames. */
  #joined = '';
  #bytes: Buffer | undefined;
  #prepared: Buffer | undefined;

  constructor(frames: Frames) {
    this.frames = frames;
    this.lastId = lastId(frames);
    if (frames instanceof Frame) {
      this.byteLength = frames.byteLength;
      return;
    }
    let byteLength = 0;
    for (const frame of frames) {
      this.#joined += frame.text;
      byteLength += frame.byteLength;
    }
    this.byteLength = byteLength;
  }

  get text(): string {
    return this.frames instanceof Frame ? this.frames.text : this.#joined;
  }

  /** Bytes equal UTF-16 units only in ASCII, which is written faster as latin1. */
  get encoding(): 'latin1' | 'utf8' {
    const ascii = this.frames instanceof Frame ? this.frames.ascii : this.#joined.length === this.byteLength;
    return ascii ? 'latin1' : 'utf8';
  }

  get bytes(): Buffer {
    this.#bytes ??= Buffer.from(this.text, this.encoding);
    return this.#bytes;
  }

  /** The bytes as one kind of sink needs them, made once for all connections. */
  prepared(form: (chunk: Chunk) => string): Buffer {
    this.#prepared ??= Buffer.from(form(this), this.encoding);
    return this.#prepared;
  }
}

/** The newest id among frames that are written together. */
export function lastId(frames: Frames): string | undefined {
  if (frames instanceof Frame) return frames.id;
  for (let index = frames.length - 1; index >= 0; index -= 1) {
    const frame = frames[index];
    if (frame?.hasId === true) return frame.id;
  }
  return undefined;
}
