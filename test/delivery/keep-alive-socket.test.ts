import http from 'node:http';
import type { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { SSEKify } from '../../src/index.js';
import { atEnd } from '../helpers/cleanup.js';
import { endWithTest, serve } from '../helpers/server.js';

const EVENTS = ['close', 'end', 'error', 'drain', 'finish', 'timeout', 'data'];

function listeners(socket: Socket): Record<string, number> {
  return Object.fromEntries(EVENTS.map((event) => [event, socket.listenerCount(event)]));
}

it('leaves no listener on a kept-alive socket, which serves ordinary requests between streams', async () => {
  const sse = new SSEKify();
  endWithTest(sse);
  const sockets = new Set<Socket>();
  const counts: Record<string, number>[] = [];
  const { url } = await serve((req, res) => {
    sockets.add(req.socket);
    counts.push(listeners(req.socket));
    if (req.url === '/plain') {
      res.end('plain');
      return;
    }
    const handle = sse.registerConnection('ann', res);
    // More than one write's worth, so that it stalls and drains on the way.
    handle.send('x'.repeat(500_000), { text: true });
    handle.close();
  });
  const agent = new http.Agent({ keepAlive: true, maxSockets: 1 });
  atEnd(() => agent.destroy());
  const get = (path: string) =>
    new Promise<string>((resolve, reject) => {
      http
        .get(url + path, { agent }, (response) => {
          let body = '';
          response.setEncoding('utf8');
          response.on('data', (chunk) => {
            body += chunk;
          });
          response.on('end', () => resolve(body));
        })
        .on('error', reject);
    });
  for (let n = 0; n < 20; n += 1) {
    const stream = await get('/stream');
    expect(stream).toBe(`retry: 2000\n\ndata: ${'x'.repeat(500_000)}\n\n`);
    expect(await get('/plain')).toBe('plain');
  }
  expect(sockets.size).toBe(1);
  for (const count of counts) expect(count).toEqual(counts[0]);
  expect(sse.stats()).toMatchObject({ connections: 0, users: 0 });
});
