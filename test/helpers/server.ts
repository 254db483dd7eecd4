import http from 'node:http';
import https from 'node:https';
import type { AddressInfo, Server } from 'node:net';
import {
  type NodeResponse,
  type RegisteredConnectionHandle,
  type RegisterOptions,
  SSEKify,
  type SSEKifyOptions,
} from '../../src/index.js';
import { certificate } from './certificate.js';
import { atEnd } from './cleanup.js';

export interface TestServer {
  server: Server;
  port: number;
  url: string;
}

/** A real HTTP/1 server on a free port of the loopback interface; closed, with its sockets, when the test ends. */
export async function serve(handler: http.RequestListener, options: http.ServerOptions = {}): Promise<TestServer> {
  const server = http.createServer(options, handler);
  const port = await listen(server);
  return { server, port, url: `http://127.0.0.1:${port}` };
}

/** The same over TLS, with the certificate of the tests. */
export async function serveTls(handler: http.RequestListener, options: http.ServerOptions = {}): Promise<TestServer> {
  const server = https.createServer({ ...certificate, ...options }, handler);
  const port = await listen(server);
  return { server, port, url: `https://127.0.0.1:${port}` };
}

async function listen(server: http.Server | https.Server): Promise<number> {
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  const { port } = server.address() as AddressInfo;
  return port;
}

export interface TestHub extends TestServer {
  sse: SSEKify;
  /** Handles in the order of their registration. */
  handles: RegisteredConnectionHandle[];
  /** Resolves with the handle of the n-th registration (0 is the first). */
  handle(index: number): Promise<RegisteredConnectionHandle>;
}

export interface HubServerOptions {
  hub?: SSEKifyOptions;
  register?: RegisterOptions;
  server?: http.ServerOptions;
  /** Serve over TLS. */
  tls?: boolean;
  /** Called before each registration, on the same response. */
  before?: (req: http.IncomingMessage, res: http.ServerResponse) => void;
}

/** A hub behind a server: `GET /<userId>?rooms=a,b` registers. Both end with the test, and no error goes unheard. */
export async function serveHub({ hub, register, server, tls, before }: HubServerOptions = {}): Promise<TestHub> {
  const { handler, ...rest } = hubHandler(hub, register);
  const served = await (tls === true ? serveTls : serve)((req, res) => {
    before?.(req, res);
    handler(req, res);
  }, server);
  endWithTest(rest.sse);
  return { ...rest, ...served };
}

/** Shuts a hub down when the test ends. */
export function endWithTest(sse: SSEKify): void {
  atEnd(() => sse.shutdown({ announce: false, graceMs: 0 }));
}

/** A hub and a request handler that registers, for any kind of server. */
export function hubHandler(hub?: SSEKifyOptions, register?: RegisterOptions) {
  const sse = new SSEKify(hub);
  const handles: RegisteredConnectionHandle[] = [];
  const waiting: (() => void)[] = [];
  const handler = (req: { url?: string | undefined }, res: NodeResponse) => {
    const url = new URL(req.url ?? '/', 'http://localhost');
    const rooms = url.searchParams.get('rooms')?.split(',');
    handles.push(sse.registerConnection(decodeURIComponent(url.pathname.slice(1)), res, { rooms, ...register }));
    for (const wake of waiting.splice(0)) wake();
  };
  const handle = async (index: number): Promise<RegisteredConnectionHandle> => {
    for (;;) {
      const found = handles[index];
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
  };
  return { sse, handles, handle, handler };
}
