import http from 'node:http';
import type { AddressInfo } from 'node:net';
import {
  type RegisteredConnectionHandle,
  type RegisterOptions,
  SSEKify,
  type SSEKifyOptions,
} from '../../src/index.js';
import { atEnd } from './cleanup.js';

export interface TestServer {
  server: http.Server;
  port: number;
  url: string;
}

/** A real HTTP/1 server on a free port of the loopback interface; closed, with its sockets, when the test ends. */
export async function serve(handler: http.RequestListener, options: http.ServerOptions = {}): Promise<TestServer> {
  const server = http.createServer(options, handler);
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  atEnd(
    () =>
      new Promise<void>((resolve) => {
        server.close(() => resolve());
        server.closeAllConnections();
      }),
  );
  const { port } = server.address() as AddressInfo;
  return { server, port, url: `http://127.0.0.1:${port}` };
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
  /** Called before each registration, on the same response. */
  before?: (req: http.IncomingMessage, res: http.ServerResponse) => void;
}

/** A hub behind a server: `GET /<userId>?rooms=a,b` registers. Both end with the test, and no error goes unheard. */
export async function serveHub({ hub, register, server, before }: HubServerOptions = {}): Promise<TestHub> {
  const sse = new SSEKify(hub);
  const handles: RegisteredConnectionHandle[] = [];
  const waiting: (() => void)[] = [];
  const served = await serve((req, res) => {
    before?.(req, res);
    const url = new URL(req.url ?? '/', 'http://localhost');
    const rooms = url.searchParams.get('rooms')?.split(',');
    handles.push(sse.registerConnection(decodeURIComponent(url.pathname.slice(1)), res, { rooms, ...register }));
    for (const wake of waiting.splice(0)) wake();
  }, server);
  atEnd(() => sse.shutdown({ announce: false, graceMs: 0 }));
  const handle = async (index: number): Promise<RegisteredConnectionHandle> => {
    for (;;) {
      const found = handles[index];
      if (found !== undefined) return found;
      await new Promise<void>((resolve) => waiting.push(resolve));
    }
  };
  return { sse, handles, handle, ...served };
}
