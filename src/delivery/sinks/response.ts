import { type OutgoingHttpHeaders, ServerResponse } from 'node:http';
import type { Http2ServerResponse } from 'node:http2';
import { hasMethods } from '../../checks.js';
import { reasonOf, SSEKifyError, show } from '../../errors.js';
import { setImmediate } from '../../event-loop.js';
import type { HeaderChange, RequestHead } from '../../wire/head.js';

/** The raw response of a Node server: HTTP/1.x or HTTP/2, plain or TLS, or what a framework extends it to. */
export type NodeResponse = ServerResponse | Http2ServerResponse;

type Listener = (...args: never[]) => void;

/** The part of a socket that matters here. */
export interface RawSocket {
  readonly destroyed?: boolean;
  readonly readableEnded?: boolean;
  readonly writableEnded?: boolean;
  readonly bytesRead?: number;
  /** The response whose turn it is on a socket of Node's server of HTTP/1; `null`: none is. */
  readonly _httpMessage?: object | null;
  destroySoon?(): unknown;
  on(event: string, listener: Listener): unknown;
  removeListener(event: string, listener: Listener): unknown;
}

/** The part of an HTTP/2 stream that matters here. */
export interface RawStream {
  readonly destroyed?: boolean;
  readonly closed?: boolean;
  readonly session?: { readonly socket?: unknown; readonly destroyed?: boolean; close?(): unknown } | undefined;
  close(code: number): void;
  destroy?(): unknown;
}

/** A response as it is found: real ones, wrapped ones, and those an adapter made up, of which only `write` and `end` are sure. */
export interface RawResponse {
  write(chunk: string | Uint8Array, encoding?: BufferEncoding): unknown;
  end(text?: string): unknown;
  on?(event: string, listener: Listener): unknown;
  removeListener?(event: string, listener: Listener): unknown;
  destroy?(): unknown;
  /** Compressing middleware adds it: what was written leaves now. */
  flush?(): unknown;
  setHeader?(name: string, value: string | number | readonly string[]): unknown;
  removeHeader?(name: string): unknown;
  hasHeader?(name: string): boolean;
  getHeader?(name: string): string | number | string[] | undefined;
  writeHead?(status: number): unknown;
  statusCode?: number;
  statusMessage?: string;
  /** `false` when the client, or the server, wants the connection closed after this response. */
  readonly shouldKeepAlive?: boolean;
  /** Node answers 503 to what follows on its socket (`server.maxRequestsPerSocket`), which an EventSource takes as final. */
  readonly maxRequestsOnConnectionReached?: boolean;
  readonly headersSent?: boolean;
  readonly destroyed?: boolean;
  readonly closed?: boolean;
  readonly writableEnded?: boolean;
  readonly writableCorked?: number;
  readonly socket?: RawSocket | null;
  readonly stream?: RawStream | undefined;
  readonly req?: RequestHead & { readonly socket?: RawSocket | null; readonly httpVersion?: string };
}

/** Whether a value can be written to as a response. */
const isRawResponse = (value: unknown): value is RawResponse => hasMethods(value, ['write', 'end']);

/** @throws SSEKifyError INVALID_RESPONSE */
export function checkResponse(value: unknown): RawResponse {
  if (isRawResponse(value)) return value;
  throw new SSEKifyError(
    'INVALID_RESPONSE',
    `res is ${show(value)}: expected the raw Node response (Koa: ctx.res, Fastify: reply.raw, Hapi: request.raw.res).`,
  );
}

/** The HTTP/2 stream under a response; `undefined` on HTTP/1. */
export function streamOf(res: RawResponse): RawStream | undefined {
  const { stream } = res;
  return typeof stream === 'object' && stream !== null && typeof stream.close === 'function' ? stream : undefined;
}

/** The HTTP/1 socket; a response queued behind a pipelined one has it only by way of its request. */
export function socketOf(res: RawResponse): RawSocket | undefined {
  if (streamOf(res) !== undefined) return undefined;
  return res.req?.socket ?? res.socket ?? undefined;
}

/** Whether nobody can be reached through it any more; `res.writable` does not tell. */
export function isGone(res: RawResponse): boolean {
  if (res.writableEnded === true || res.destroyed === true || res.closed === true) return true;
  const stream = streamOf(res);
  if (stream !== undefined) return stream.destroyed === true || stream.closed === true;
  const socket = socketOf(res);
  return socket?.destroyed === true || socket?.readableEnded === true || socket?.writableEnded === true;
}

/** On HTTP/1, how long a connection is kept for a request that is on its way when the response ends. */
const LAST_CALL_MS = 250;

/**
 * Ends the connection soon after the response, and an HTTP/2 session when its other streams are over. A browser would keep it, come
 * back by it to this server and no other, and so keep the process from ending.
 */
export function hangUpAfter(res: RawResponse): void {
  const session = streamOf(res)?.session;
  const socket = socketOf(res);
  // A made-up response may show it and not let it be set.
  Reflect.set(res, 'shouldKeepAlive', false);
  res.on?.('finish', () => {
    session?.close?.();
    const read = socket?.bytesRead;
    // The head said that the connection is kept, so a proxy sends the next request by it at once, whosoever it is. Closed right then
    // it would answer 502 to that. What has come after being held up is read before the immediate.
    const lookAgain = () => {
      // Unless another response waits for its turn, or it never was one that carries a response at a time.
      if (socket?._httpMessage === null && socket.bytesRead === read) socket.destroySoon?.();
    };
    setTimeout(() => setImmediate(lookAgain), LAST_CALL_MS).unref();
  });
}

// Forbidden on HTTP/2 (RFC 9113, 8.2.2), where setting them throws.
const HTTP1_ONLY = new Set(['connection', 'keep-alive', 'proxy-connection', 'upgrade', 'http2-settings', 'te']);

/** Whether the connection ends with the response. HTTP/1.0 knows no chunks: there its end is the end of the stream. */
const isLast = (res: RawResponse) =>
  isHttp10(res) || res.shouldKeepAlive === false || res.maxRequestsOnConnectionReached === true;

const isHttp10 = (res: RawResponse) => res.req?.httpVersion === '1.0';

function setFraming(res: RawResponse, setHeader: NonNullable<RawResponse['setHeader']>): void {
  // Node frames by itself, but not when its header was ever removed: so that is done only to one that must not stay.
  if (res.hasHeader?.('Transfer-Encoding') === true) {
    if (isHttp10(res)) res.removeHeader?.('Transfer-Encoding');
    else setHeader('Transfer-Encoding', 'chunked');
  }
  if (isLast(res)) setHeader('Connection', 'close');
  else if (res.hasHeader?.('Connection') !== true) setHeader('Connection', 'keep-alive');
}

/** Whether a response is Node's own with no header set yet; then headers need not be kept on it one by one. */
function isBlank(res: RawResponse): res is ServerResponse {
  return (
    res instanceof ServerResponse &&
    res.writeHead === ServerResponse.prototype.writeHead &&
    res.getHeaderNames().length === 0
  );
}

/** The headers that result when each change replaces those before it. */
function headersOf(changes: readonly HeaderChange[]): OutgoingHttpHeaders {
  const named = new Map<string, HeaderChange>();
  for (const change of changes) named.set(change.name.toLowerCase(), change);
  const headers: OutgoingHttpHeaders = Object.create(null);
  for (const { name, value } of named.values()) {
    if (value !== undefined) headers[name] = typeof value === 'object' ? [...value] : value;
  }
  return headers;
}

/**
 * Sends status and headers, over what the application already set on the response.
 * @throws SSEKifyError INVALID_HEADER for what only Node can refuse (two values where HTTP/2 allows one); the response is as it
 * was then
 */
export function sendHead(res: RawResponse, status: number, changes: readonly HeaderChange[]): void {
  if (res.headersSent === true) return;
  const before = changes.map(({ name }): HeaderChange => ({ name, value: res.getHeader?.(name) }));
  const { statusCode } = res;
  // HTTP/2 has none, and Node warns of whoever asks for it.
  const statusMessage = streamOf(res) === undefined ? res.statusMessage : undefined;
  try {
    writeHead(res, status, changes);
  } catch (cause) {
    for (const { name, value } of before) {
      if (value === undefined) res.removeHeader?.(name);
      else res.setHeader?.(name, value);
    }
    if (statusCode !== undefined) res.statusCode = statusCode;
    if (statusMessage !== undefined) res.statusMessage = statusMessage;
    throw new SSEKifyError('INVALID_HEADER', `the head was refused: ${reasonOf(cause)}`, { cause });
  }
}

function writeHead(res: RawResponse, status: number, changes: readonly HeaderChange[]): void {
  if (isBlank(res)) {
    res.statusMessage = '';
    res.writeHead(status, headersOf([...changes, { name: 'Connection', value: isLast(res) ? 'close' : 'keep-alive' }]));
    return;
  }
  const http2 = streamOf(res) !== undefined;
  if (res.setHeader !== undefined) {
    res.removeHeader?.('Content-Length');
    for (const { name, value } of changes) {
      if (http2 && HTTP1_ONLY.has(name.toLowerCase())) continue;
      if (value === undefined) res.removeHeader?.(name);
      else res.setHeader(name, value);
    }
    if (!http2) setFraming(res, res.setHeader.bind(res));
  }
  res.statusCode = status;
  // Koa presets 404 with its message.
  if (!http2 && res.statusMessage !== undefined) res.statusMessage = '';
  res.writeHead?.(status);
}
