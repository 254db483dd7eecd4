import { OutgoingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { Writable } from 'node:stream';
import { sizeLine } from '../../wire/chunked-coding.js';
import { Frame } from '../../wire/frame.js';
import type { Chunk } from '../chunk.js';
import type { RawResponse } from './response.js';
import type { SinkOwner } from './sink.js';

/** A socket, with the mark Node's HTTP server leaves on it: the response whose turn it is. */
export interface ServerSocket extends Socket {
  readonly _httpMessage?: object;
  /** Takes a Buffer with `'buffer'` for its encoding. */
  _write(data: string | Buffer, encoding: BufferEncoding | 'buffer', done: (error?: Error | null) => void): void;
}

/**
 * The socket on which a response's chunks may be written ready-made: Node's own response on its own TCP socket, at its turn,
 * with a chunked body, and nobody wraps its writes or its socket's. So none with compression, TLS, HTTP/1.0, HTTP/2, behind a
 * pipelined response, or of a made-up one. What is looked at beyond the documented (`chunkedEncoding`, `outputData`,
 * `_httpMessage`) only leads to the plain way when it is not there or not so. The environment variable
 * `SSEKIFY_SINK=response` rules it out: the test suite runs both ways.
 */
export function chunkedSocketOf(res: RawResponse): ServerSocket | undefined {
  if (!(res instanceof ServerResponse) || process.env.SSEKIFY_SINK === 'response') return undefined;
  const socket: ServerSocket | null = res.socket;
  const waiting: unknown = Reflect.get(res, 'outputData');
  const plain =
    socket instanceof Socket &&
    Object.getPrototypeOf(socket) === Socket.prototype &&
    isUnwrapped(socket) &&
    socket._httpMessage === res &&
    res.write === OutgoingMessage.prototype.write &&
    res.end === OutgoingMessage.prototype.end &&
    res.chunkedEncoding &&
    Array.isArray(waiting) &&
    waiting.length === 0;
  return plain ? socket : undefined;
}

const isUnwrapped = (socket: Socket) => socket.write === Writable.prototype.write;

/** The chunk of the body that a chunk is: text while one connection writes it, one Buffer when several do. */
export const framed = (chunk: Chunk): string | Buffer => (chunk.shared ? chunk.prepared(frame) : frame(chunk));

function frame(chunk: Chunk): string {
  const { frames } = chunk;
  return frames instanceof Frame ? frames.chunk : `${sizeLine(chunk.byteLength)}${chunk.text}\r\n`;
}

/** Whether nothing waits in the socket's own buffer, and what is written gets to the system. */
export const isIdle = (socket: Socket) => socket.writableLength === 0 && socket.writable && isUnwrapped(socket);

/**
 * Writes to an idle socket by the method in which a `Writable` hands data on (`_write`): past the bookkeeping and the extra
 * turn that each call of `write` costs, which is a tenth of a delivery. The system keeps what goes either way in order.
 * @param owner - told of the drain after `false`
 * @returns whether the system took it whole
 */
export function writeThrough(socket: ServerSocket, chunk: Chunk, owner: SinkOwner): boolean {
  let taken = false;
  let waits = false;
  const data = framed(chunk);
  socket._write(data, typeof data === 'string' ? chunk.encoding : 'buffer', (error) => {
    taken = true;
    if (error) socket.destroy(error);
    else if (waits) owner.drained();
  });
  waits = !taken;
  return taken;
}
