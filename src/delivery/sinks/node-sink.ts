import type { Chunk } from '../chunk.js';
import { type RawResponse, type RawSocket, socketOf, streamOf } from './response.js';
import type { Sink, SinkOwner } from './sink.js';

/** RFC 9113, section 7. */
const HTTP2_CANCEL = 8;

/** Writes through the public methods of a response: right for HTTP/1.x, HTTP/2, and any wrapped or made-up one. */
export class NodeSink implements Sink {
  readonly #res: RawResponse;
  readonly #socket: RawSocket | undefined;
  readonly #owner: SinkOwner;
  #ended = false;

  constructor(res: RawResponse, owner: SinkOwner) {
    this.#res = res;
    this.#owner = owner;
    this.#socket = socketOf(res);
    res.on?.('drain', this.#onDrain);
    res.on?.('close', this.#onClose);
    res.on?.('error', this.#onError);
    // A client that closes its half has left, even when it still could read (RST shows on the response itself).
    this.#socket?.on('end', this.#onLeave);
    // A response queued behind a pipelined one is not told when their socket closes.
    this.#socket?.on('close', this.#onLeave);
  }

  write(chunk: Chunk): boolean {
    return this.#write(chunk.shared ? chunk.bytes : chunk.text, chunk.encoding);
  }

  writeBytes(bytes: Buffer): boolean {
    return this.#write(bytes);
  }

  end(): void {
    if (this.#ended) return;
    this.#ended = true;
    this.#res.end();
    // A made-up response may never say that it is over.
    if (this.#res.on === undefined) this.#owner.closed('server');
  }

  destroy(): void {
    this.#ended = true;
    const stream = streamOf(this.#res);
    if (stream !== undefined) stream.close(HTTP2_CANCEL);
    else if (this.#res.destroy !== undefined) this.#res.destroy();
    else this.#res.end();
  }

  /** What the socket was given, and what of it still waits for the kernel; Node's own idle timeout looks at the same. */
  progress(): string {
    const socket: unknown = this.#socket ?? streamOf(this.#res)?.session?.socket;
    if (typeof socket !== 'object' || socket === null) return '';
    const handle: unknown = Reflect.get(socket, '_handle');
    const waiting = typeof handle === 'object' && handle !== null ? Reflect.get(handle, 'writeQueueSize') : '';
    return `${Reflect.get(socket, 'bytesWritten')}:${waiting}`;
  }

  detach(): void {
    const res = this.#res;
    res.removeListener?.('drain', this.#onDrain);
    res.removeListener?.('close', this.#onClose);
    this.#socket?.removeListener('end', this.#onLeave);
    this.#socket?.removeListener('close', this.#onLeave);
    // 'error' keeps its listener for the response's life: a late write error must not end the process.
  }

  #write(data: string | Uint8Array, encoding?: BufferEncoding): boolean {
    const res = this.#res;
    // Its 'close' is on the way; Node would make an error of the write.
    if (res.writableEnded === true || res.destroyed === true) return true;
    const more = typeof data === 'string' ? res.write(data, encoding) : res.write(data);
    if (more !== false) res.flush?.();
    return more !== false;
  }

  readonly #onDrain = () => this.#owner.drained();
  readonly #onLeave = () => {
    this.#owner.closed('client');
    this.#res.destroy?.();
  };
  readonly #onError = () => this.#owner.closed('error');
  readonly #onClose = () => this.#owner.closed(this.#res.writableEnded === true ? 'server' : 'client');
}
