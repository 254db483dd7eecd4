import { OutgoingMessage } from 'node:http';
import type { Chunk } from '../chunk.js';
import { chunkedSocketOf, framed, isIdle, type ServerSocket, writeThrough } from './chunked-socket.js';
import { hangUpAfter, type RawResponse, type RawSocket, type RawStream, socketOf, streamOf } from './response.js';
import type { Sink, SinkKind, SinkOwner } from './sink.js';

/** RFC 9113, section 7. */
const HTTP2_CANCEL = 8;

/** Node's own `flush` is a deprecated name of `flushHeaders`, and warns; only that of compressing middleware is meant. */
const NODE_FLUSH: unknown = Reflect.get(OutgoingMessage.prototype, 'flush');

/** Where a response or a socket keeps its sink; a property costs less than a table beside. */
const SINK = Symbol('ssekify.sink');

/** A response or socket that may have a sink. On a socket it is the first of those linked, one for each pipelined request. */
interface Host {
  [SINK]?: NodeSink | undefined;
}

/** Whether a response was given to a sink, of any hub, at any time. */
export function hadSink(res: RawResponse): boolean {
  return SINK in res;
}

/**
 * Writes through the public methods of a response: right for HTTP/1.x, HTTP/2, and any wrapped or made-up one. Where it is
 * safe, it writes ready-made chunks to the socket underneath instead.
 */
export class NodeSink implements Sink {
  // First what each write needs, side by side in memory.
  /** Where chunks are written ready-made; known from the first write on, when the head is made. */
  #direct: ServerSocket | undefined;
  readonly #owner: SinkOwner;
  readonly #res: RawResponse & Host;
  readonly #socket: (RawSocket & Host) | undefined;
  /** Whether it waits behind another response on its socket; such a one is not told when the socket closes. */
  readonly #queued: boolean;
  /** A stream that is gone does not tell. */
  readonly #session: RawStream['session'];
  #begun = false;
  #nextOn: NodeSink | undefined;
  /**
   * Made when a write is first answered `false`, which most responses never do. A closure, since compressing middleware moves
   * the listener to a stream of its own.
   */
  #onDrain: (() => void) | undefined;
  #ended = false;

  constructor(res: RawResponse, owner: SinkOwner) {
    this.#res = res;
    this.#owner = owner;
    this.#socket = socketOf(res);
    this.#session = streamOf(res)?.session;
    this.#queued = this.#socket !== undefined && !res.socket;
    this.#res[SINK] = this;
    res.on?.('close', onClose);
    res.on?.('error', onError);
    if (this.#socket !== undefined) this.#attachTo(this.#socket);
  }

  get kind(): SinkKind {
    return this.#direct === undefined ? 'response' : 'socket';
  }

  write(chunk: Chunk): boolean {
    // Past what the response holds back (Node 26 corks it at each write, up to the next tick) nothing may go.
    if (this.#res.writableCorked) return this.#writeChunk(chunk);
    const socket = this.#direct;
    // The application may have ended the response, or its turn be over.
    if (socket !== undefined && socket._httpMessage === this.#res && this.#res.writableEnded !== true) {
      if (isIdle(socket)) return writeThrough(socket, chunk, this.#owner);
      const more = socket.write(framed(chunk), chunk.encoding);
      if (!more) this.#awaitDrain();
      return more;
    }
    if (!this.#begun) {
      this.#begun = true;
      this.#direct = chunkedSocketOf(this.#res);
      if (this.#direct !== undefined) return this.#begin(this.#direct, chunk);
    }
    return this.#writeChunk(chunk);
  }

  #writeChunk(chunk: Chunk): boolean {
    // Node 26 answers by bytes but drains by characters: text of several bytes each may never drain.
    const asBytes = chunk.shared || chunk.encoding === 'utf8';
    return this.#write(asBytes ? chunk.bytes : chunk.text, chunk.encoding);
  }

  /** Sends the head and the first chunk, in one write; the chunk past `res.write`, which leaves half a kilobyte behind on each response. */
  #begin(socket: ServerSocket, chunk: Chunk): boolean {
    socket.cork();
    // Not `flushHeaders`, which makes UTF-8 of the head.
    this.#res.write('', 'latin1');
    const more = socket.write(framed(chunk), chunk.encoding);
    socket.uncork();
    if (!more) this.#awaitDrain();
    return more;
  }

  writeBytes(bytes: Buffer): boolean {
    return this.#write(bytes);
  }

  end(last: boolean): void {
    if (this.#ended) return;
    this.#ended = true;
    const res = this.#res;
    if (last) hangUpAfter(res);
    try {
      res.end();
    } catch {
      // Only a made-up response throws; its client is told by the end of the connection.
      this.#owner.closed('error');
      return;
    }
    // A made-up response may never say that it is over, nor does that of node-mocks-http, which knows that it has ended.
    const tells = res.on !== undefined && res.writableEnded !== undefined;
    if (!tells || (res.destroyed ?? streamOf(res)) === undefined) this.#owner.closed('server');
  }

  destroy(): void {
    this.#ended = true;
    const stream = streamOf(this.#res);
    try {
      if (stream !== undefined) {
        stream.close(HTTP2_CANCEL);
        // Else it would wait for a window that its client may never open.
        stream.destroy?.();
      } else if (this.#res.destroy !== undefined) this.#res.destroy();
      else this.#res.end();
    } catch {
      // Only a made-up response throws; nothing more can be done for it.
    }
  }

  /** What the socket was given, and what of it still waits for the kernel; Node's own idle timeout looks at the same. */
  progress(): string {
    // Asking a session that is gone would throw.
    const session = this.#session?.destroyed === true ? undefined : this.#session;
    const socket = this.#socket ?? session?.socket;
    const handle = property(socket, '_handle');
    // What TLS has encrypted waits in the handle underneath.
    const waiting = property(property(handle, '_parent') ?? handle, 'writeQueueSize');
    return `${property(socket, 'bytesWritten')}:${property(handle, 'writeQueueSize')}:${waiting}`;
  }

  detach(last = false): void {
    // Also where it was cut off, or its client left by itself, so that it did not end.
    if (last) this.#session?.close?.();
    if (this.#onDrain !== undefined) {
      this.#res.removeListener?.('drain', this.#onDrain);
      this.#direct?.removeListener('drain', this.#onDrain);
    }
    if (this.#socket !== undefined) this.#detachFrom(this.#socket);
    // 'close' and 'error' stay until the response closes: a late write error must not end the process.
  }

  #write(data: string | Uint8Array, encoding?: BufferEncoding): boolean {
    const res = this.#res;
    // Node would make an error of the write. Mostly its 'close' is on the way; where it has come, another listener threw and kept
    // it from here, and the write counts as one that the client does not take.
    if (res.writableEnded === true || res.destroyed === true) return res.closed !== true;
    try {
      const more = typeof data === 'string' ? res.write(data, encoding) : res.write(data);
      if (res.flush !== undefined && res.flush !== NODE_FLUSH) res.flush();
      // One that cannot tell of its drain is taken to have none.
      if (more !== false || res.on === undefined) return true;
    } catch {
      // Only a made-up response throws; the disconnect tells of it, and all others get their events.
      this.failed();
      return true;
    }
    this.#awaitDrain();
    return false;
  }

  #awaitDrain(): void {
    if (this.#onDrain !== undefined) return;
    this.#onDrain = () => this.#owner.drained();
    this.#res.on?.('drain', this.#onDrain);
    this.#direct?.on('drain', this.#onDrain);
  }

  #attachTo(socket: RawSocket & Host): void {
    const first = socket[SINK];
    // A client that closes its half has left, even when it still could read.
    if (first === undefined) socket.on('end', leave);
    if (this.#queued && !NodeSink.queuedFrom(first)) socket.on('close', leave);
    this.#nextOn = first;
    socket[SINK] = this;
  }

  #detachFrom(socket: RawSocket & Host): void {
    const first = socket[SINK];
    if (first === this) {
      socket[SINK] = this.#nextOn;
    } else {
      let before = first;
      while (before !== undefined && before.#nextOn !== this) before = before.#nextOn;
      if (before === undefined) return;
      before.#nextOn = this.#nextOn;
    }
    this.#nextOn = undefined;
    const left = socket[SINK];
    if (left === undefined) socket.removeListener('end', leave);
    if (this.#queued && !NodeSink.queuedFrom(left)) socket.removeListener('close', leave);
  }

  /** Whether one of the sinks linked from here waits for its turn. */
  static queuedFrom(sink: NodeSink | undefined): boolean {
    for (let each = sink; each !== undefined; each = each.#nextOn) if (each.#queued) return true;
    return false;
  }

  /** Its socket tells that the client has left. */
  left(): void {
    this.detach();
    this.#owner.closed('client');
    this.#res.destroy?.();
  }

  /** The response is over. */
  closed(): void {
    const res = this.#res;
    res.removeListener?.('close', onClose);
    res.removeListener?.('error', onError);
    res[SINK] = undefined;
    this.#owner.closed(res.writableEnded === true ? 'server' : 'client');
  }

  /** The response made an error of something. */
  failed(): void {
    this.#owner.closed('error');
    if (this.#res.writableEnded !== true) this.destroy();
  }
}

// One function each for all responses: a closure for each listener would cost more than the sink itself.
function onClose(this: Host): void {
  this[SINK]?.closed();
}

function onError(this: Host): void {
  this[SINK]?.failed();
}

function leave(this: Host): void {
  for (let sink = this[SINK]; sink !== undefined; sink = this[SINK]) sink.left();
}

function property(object: unknown, name: string): unknown {
  return typeof object === 'object' && object !== null ? Reflect.get(object, name) : undefined;
}
