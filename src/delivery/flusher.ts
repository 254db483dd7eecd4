import { AsyncResource } from 'node:async_hooks';
import { setImmediate } from '../event-loop.js';
import type { Frame } from '../wire/frame.js';
import { Burst } from './burst.js';
import { Chunk } from './chunk.js';
import { Fifo } from './fifo.js';

/** Something with frames to write. */
export interface Flushable {
  /** Whether it waits for the flusher; only the flusher sets it. */
  dirty: boolean;
  /** It may take long: it reads a piece of what it has missed. */
  readonly lagging: boolean;
  flush(encode: Encoder): void;
}

/** Makes the bytes of a frame, once for all neighbours that got the same one. */
export type Encoder = (frame: Frame) => Chunk;

const SLICE_MS = 4;
const LOOK_AT_TIME_EVERY = 8;

/**
 * Writes what was sent in a tick at its end: all frames of a connection in one write, connections that got the same
 * frames from one buffer. It works in slices of a few milliseconds, so that neither a burst nor very many connections hold
 * the event loop.
 */
export class Flusher {
  readonly #dirty = new Fifo<Flushable>();
  #scheduled = false;
  #chunk: Chunk | undefined;
  /** Of the one frame that the last client which got a second one had got. */
  #first: Burst | undefined;

  /**
   * In the context the hub was made in: whoever sent first in a tick has no part in what others are sent. Only what sets it off is
   * bound: what a listener enters by `enterWith` would stay with what is bound.
   */
  readonly #setOff = AsyncResource.bind(() => setImmediate(() => this.#run()));

  /** What a client got in this tick, with a frame behind it. */
  add(got: Frame | Burst | undefined, frame: Frame): Frame | Burst {
    if (got === undefined) return frame;
    if (got instanceof Burst) return got.with(frame);
    if (this.#first?.endsWith(got) !== true) this.#first = new Burst(got);
    return this.#first.with(frame);
  }

  mark(who: Flushable): void {
    if (who.dirty) return;
    who.dirty = true;
    this.#dirty.push(who);
    this.#schedule();
  }

  #schedule(): void {
    if (this.#scheduled) return;
    this.#scheduled = true;
    this.#setOff();
  }

  #run(): void {
    this.#scheduled = false;
    const deadline = performance.now() + SLICE_MS;
    let flushed = 0;
    for (let who = this.#dirty.shift(); who !== undefined; who = this.#dirty.shift()) {
      who.dirty = false;
      who.flush(this.#encode);
      flushed += 1;
      if ((who.lagging || flushed % LOOK_AT_TIME_EVERY === 0) && performance.now() > deadline) break;
    }
    if (this.#dirty.length > 0) {
      this.#schedule();
      return;
    }
    this.#chunk = undefined;
    this.#first = undefined;
  }

  readonly #encode: Encoder = (frame) => {
    if (this.#chunk?.frames === frame) this.#chunk.shared = true;
    else this.#chunk = new Chunk(frame);
    return this.#chunk;
  };
}
