import { OutgoingMessage, ServerResponse } from 'node:http';
import { Socket } from 'node:net';
import { sizeLine } from '../../wire/chunked-coding.js';
import { Frame } from '../../wire/frame.js';
import type { Chunk } from '../chunk.js';
import type { RawResponse } from './response.js';

/** A socket, with the mark Node's HTTP server leaves on it: the response whose turn it is. */
export interface ServerSocket extends Socket {
  readonly _httpMessage?: object;
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
    socket.write === Socket.prototype.write &&
    socket._httpMessage === res &&
    res.write === OutgoingMessage.prototype.write &&
    res.end === OutgoingMessage.prototype.end &&
    res.chunkedEncoding &&
    Array.isArray(waiting) &&
    waiting.length === 0;
  return plain ? socket : undefined;
}

/** Bytes as a chunk of the body. */
export function framed(chunk: Chunk): string {
  const { frames } = chunk;
  return frames instanceof Frame ? frames.chunk : `${sizeLine(chunk.byteLength)}${chunk.text}\r\n`;
}
