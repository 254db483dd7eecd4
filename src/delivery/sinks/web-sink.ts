import type { Chunk } from '../chunk.js';
import type { Sink, SinkOwner } from './sink.js';

/** What may wait for a reader before it counts as behind, as in Node's own streams. */
const HIGH_WATER_BYTES = 16 * 1024;
/** A reader that asks for nothing so long counts as behind whatever waits: perhaps nobody reads, and no socket ever tells. */
const PATIENCE_MS = 1000;

/**
 * Writes to the body of a web-standard response. The stream asks for each piece when its reader wants one, so that what the
 * reader has taken is known exactly.
 * @see https://streams.spec.whatwg.org/#rs-class
 */
export class WebSink implements Sink {
  readonly kind = 'web';
  readonly body: ReadableStream<Uint8Array>;
  readonly #owner: SinkOwner;
  #controller: ReadableByteStreamController | undefined;
  #waiting: Uint8Array[] = [];
  #waitingBytes = 0;
  #waitingSince = 0;
  #givenBytes = 0;
  /** The reader waits. */
  #wanted: (() => void) | undefined;
  #full = false;
  #ending = false;

  constructor(owner: SinkOwner) {
    this.#owner = owner;
    this.body = new ReadableStream({
      type: 'bytes',
      start: (controller) => {
        this.#controller = controller;
      },
      pull: () => this.#pull(),
      cancel: () => this.#finish('client'),
    });
  }

  write(chunk: Chunk): boolean {
    return this.writeBytes(chunk.bytes);
  }

  writeBytes(bytes: Uint8Array): boolean {
    const now = performance.now();
    if (this.#waitingBytes === 0) this.#waitingSince = now;
    this.#waiting.push(bytes);
    this.#waitingBytes += bytes.byteLength;
    this.#give();
    if (this.#waitingBytes < HIGH_WATER_BYTES && now - this.#waitingSince < PATIENCE_MS) return true;
    this.#full = true;
    return false;
  }

  end(): void {
    this.#ending = true;
    this.#give();
  }

  destroy(reason: 'server' | 'error' = 'server'): void {
    this.#controller?.error(new Error('ssekify cut the stream off'));
    this.#finish(reason);
  }

  /** The client has left, as the request's signal tells. Its server would only log an error. */
  abort(): void {
    this.#close();
    this.#finish('client');
  }

  progress(): string {
    // What a reader's own buffer had no room for stays in the stream, whose mark is 0.
    return String(this.#givenBytes + (this.#controller?.desiredSize ?? 0));
  }

  detach(): void {
    // What it holds goes with its end, which has come or comes right after.
  }

  #pull(): Promise<void> {
    return new Promise((resolve) => {
      this.#wanted = resolve;
      this.#give();
    });
  }

  /** Gives a waiting reader all there is, or the end. */
  #give(): void {
    const wanted = this.#wanted;
    if (wanted === undefined) return;
    const [first] = this.#waiting;
    if (first === undefined) {
      if (!this.#ending) return;
      this.#close();
      this.#finish('server');
      return;
    }
    this.#wanted = undefined;
    // The stream takes the memory it is given, and chunks are shared.
    this.#controller?.enqueue(
      this.#waiting.length === 1 ? new Uint8Array(first) : joined(this.#waiting, this.#waitingBytes),
    );
    this.#givenBytes += this.#waitingBytes;
    this.#waiting = [];
    this.#waitingBytes = 0;
    wanted();
    if (!this.#full) return;
    this.#full = false;
    this.#owner.drained();
  }

  #close(): void {
    try {
      this.#controller?.close();
      // A reader that brought its own buffer is answered only then.
      this.#controller?.byobRequest?.respond(0);
    } catch {
      // The end is amid an element of the reader's own array, of two bytes or more: the stream has told the reader so.
    }
  }

  #finish(reason: 'client' | 'server' | 'error'): void {
    this.#waiting = [];
    this.#owner.closed(reason);
  }
}

function joined(pieces: readonly Uint8Array[], byteLength: number): Uint8Array {
  const all = new Uint8Array(byteLength);
  let at = 0;
  for (const piece of pieces) {
    all.set(piece, at);
    at += piece.byteLength;
  }
  return all;
}
