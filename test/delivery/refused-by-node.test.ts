import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import { expect, it } from 'vitest';
import { SSEKify } from '../../src/index.js';
import { atEnd } from '../helpers/cleanup.js';

it('throws INVALID_HEADER for what only HTTP/2 refuses, and leaves the response usable', async () => {
  const sse = new SSEKify();
  let refused: unknown;
  const server = http2.createServer((_req, res) => {
    try {
      sse.registerConnection('ann', res, { headers: { 'Content-Type': ['a', 'b'] } });
    } catch (error) {
      refused = error;
      res.statusCode = 500;
      res.end('fallback');
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  atEnd(() => new Promise((resolve) => server.close(resolve)));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const client = http2.connect(`http://127.0.0.1:${address.port}`);
  atEnd(() => client.close());
  const stream = client.request({ ':path': '/' });
  const [headers] = await once(stream, 'response');
  stream.setEncoding('utf8');
  let body = '';
  for await (const chunk of stream) body += chunk;
  expect(refused).toMatchObject({ code: 'INVALID_HEADER' });
  expect(headers[':status']).toBe(500);
  expect(body).toBe('fallback');
  expect(sse.stats().connections).toBe(0);
});

it('leaves the status, its message and the headers as the application set them when writeHead refuses the head', async () => {
  const sse = new SSEKify();
  let refused: unknown;
  const server = http.createServer((_req, res) => {
    const { writeHead } = res;
    res.writeHead = () => {
      throw new Error('refused');
    };
    res.statusCode = 503;
    res.statusMessage = 'Back Soon';
    res.setHeader('Cache-Control', 'private');
    try {
      sse.registerConnection('ann', res);
    } catch (error) {
      refused = error;
    }
    res.writeHead = writeHead;
    res.end('fallback');
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  atEnd(() => new Promise((resolve) => server.close(resolve)));
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const response = await fetch(`http://127.0.0.1:${address.port}`, { headers: { connection: 'close' } });
  expect(await response.text()).toBe('fallback');
  expect(refused).toMatchObject({ code: 'INVALID_HEADER' });
  expect([response.status, response.statusText]).toEqual([503, 'Back Soon']);
  expect(response.headers.get('content-type')).toBeNull();
  expect(response.headers.get('cache-control')).toBe('private');
  expect(sse.stats().connections).toBe(0);
});
