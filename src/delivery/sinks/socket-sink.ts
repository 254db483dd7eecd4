import { OutgoingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import type { Chunk } from '../chunk.js';
import { NodeSink } from './node-sink.js';
import type { RawResponse } from './response.js';
import type { SinkOwner } from './sink.js';

/** A socket, with the mark Node's HTTP server leaves on it: the response whose turn it is. */
interface ServerSocket extends Socket {
  readonly _httpMessage?: unknown;
}

/**
 * The socket on which a response's chunks may be written ready-made: Node's own response on its own TCP socket, at its turn,
 * with a chunked body, and nobody wraps its writes or its socket's. So none with compression, TLS, HTTP/1.0, HTTP/2, behind a
 * pipelined response, or of a made-up one. What is looked at beyond the documented (`chunkedEncoding`, `outputData`,
 * `_httpMessage`) only leads to the plain way when it is not there or not so.
 */
export function chunkedSocketOf(res: RawResponse): ServerSocket | undefined {
  if (!(res instanceof ServerResponse)) return undefined;
  const socket: ServerSocket | null = res.socket;
  const waiting: unknown = Reflect.get(res, 'outputData');
  const plain =
    socket instanceof Socket &&
    Object.getPrototypeOf(socket) === Socket.prototype &&
    socket.write === Socket.prototype.write &&
    socket._httpMessage === res &&
    res.write === OutgoingMessage.prototype.write &&
    res.end === OutgoingMessage.prototype.end &&
    res.chunkedEncoding &&
    Array.isArray(waiting) &&
    waiting.length === 0;
  return plain ? socket : undefined;
}

/** RFC 9112, section 7.1: size in hexadecimal, data, each with CRLF. */
function framed(chunk: Chunk): string {
  return `${chunk.byteLength.toString(16)}\r\n${chunk.text}\r\n`;
}

/** Writes HTTP/1.1 chunks that are framed once for all connections, with one call to the socket for each. */
export class SocketSink extends NodeSink {
  readonly #res: RawResponse;
  readonly #socket: ServerSocket;
  readonly #owner: SinkOwner;
  /** The head has left, with the first write, which goes through the response. */
  #begun = false;
  #onDrain: (() => void) | undefined;

  constructor(res: RawResponse, socket: ServerSocket, owner: SinkOwner) {
    super(res, owner);
    this.#res = res;
    this.#socket = socket;
    this.#owner = owner;
  }

  override write(chunk: Chunk): boolean {
    const socket = this.#socket;
    if (!this.#begun || socket._httpMessage !== this.#res || this.#res.writableEnded === true) {
      this.#begun = true;
      return super.write(chunk);
    }
    const more = chunk.shared ? socket.write(chunk.prepared(framed)) : socket.write(framed(chunk), chunk.encoding);
    if (!more && this.#onDrain === undefined) {
      this.#onDrain = () => this.#owner.drained();
      socket.on('drain', this.#onDrain);
    }
    return more;
  }

  override detach(): void {
    if (this.#onDrain !== undefined) this.#socket.removeListener('drain', this.#onDrain);
    super.detach();
  }
}
