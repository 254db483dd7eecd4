import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import type { RegisterOptions, SSEKifyOptions } from '../../src/index.js';
import { certificate } from './certificate.js';
import { atEnd } from './cleanup.js';
import { readEvents, type StreamReader } from './client.js';
import type { Answer, RequestOptions } from './example.js';
import { endWithTest, hubHandler, type TestHub } from './server.js';

export interface Http2HubOptions {
  hub?: SSEKifyOptions;
  register?: RegisterOptions;
  /** Over TLS; else plain (h2c). */
  tls?: boolean;
}

/** A hub behind a real HTTP/2 server, as `serveHub`; the server and its sessions end with the test. */
export async function serveHttp2Hub({ hub, register, tls = false }: Http2HubOptions = {}): Promise<TestHub> {
  const { handler, ...rest } = hubHandler(hub, register);
  const server = tls ? http2.createSecureServer(certificate, handler) : http2.createServer(handler);
  const sessions = new Set<http2.ServerHttp2Session>();
  server.on('session', (session) => {
    sessions.add(session);
    session.on('error', () => undefined);
    session.on('close', () => sessions.delete(session));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        for (const session of sessions) session.destroy();
      }),
  );
  endWithTest(rest.sse);
  const { port } = server.address() as AddressInfo;
  return { ...rest, server, port, url: `${tls ? 'https' : 'http'}://127.0.0.1:${port}` };
}

export interface Http2Client extends StreamReader {
  headers: http2.IncomingHttpHeaders;
  stream: http2.ClientHttp2Stream;
  session: http2.ClientHttp2Session;
}

/** A session that ends with the test. */
export function connectHttp2(url: string): http2.ClientHttp2Session {
  const session = http2.connect(url, { rejectUnauthorized: false });
  session.on('error', () => undefined);
  atEnd(
    () =>
      new Promise<void>((resolve) => {
        if (session.destroyed) return resolve();
        session.once('close', () => resolve());
        session.destroy();
      }),
  );
  return session;
}

/** Opens a stream on a session of its own, or on one that is given, as by another client. */
export async function openHttp2(
  url: string,
  path: string,
  {
    paused = false,
    sent = {},
    session = connectHttp2(url),
  }: { paused?: boolean; sent?: http2.OutgoingHttpHeaders; session?: http2.ClientHttp2Session } = {},
): Promise<Http2Client> {
  const stream = session.request({ ...sent, ':path': path });
  stream.on('error', () => undefined);
  const headers = await new Promise<http2.IncomingHttpHeaders>((resolve) => stream.on('response', resolve));
  return Object.assign(readEvents(stream, paused), { headers, stream, session });
}

/** One request on a session of its own, as `request` of an example. */
export function requestHttp2(
  url: string,
  { method = 'GET', headers: own = {}, body }: RequestOptions = {},
): Promise<Answer> {
  const { origin, pathname, search } = new URL(url);
  const session = http2.connect(origin, { rejectUnauthorized: false });
  return new Promise<Answer>((resolve, reject) => {
    session.on('error', reject);
    const stream = session.request({ ...own, ':path': pathname + search, ':method': method });
    let text = '';
    let head: http2.IncomingHttpHeaders = {};
    stream.setEncoding('utf8');
    stream.on('response', (headers) => {
      head = headers;
    });
    stream.on('data', (chunk: string) => {
      text += chunk;
    });
    stream.on('error', reject);
    stream.on('end', () => {
      const type = head['content-type'];
      resolve({ status: Number(head[':status']), type, headers: head, text, json: () => JSON.parse(text) });
    });
    stream.end(body);
  }).finally(() => session.close());
}
