import { expect, it } from 'vitest';
import { openHttp2, serveHttp2Hub } from '../helpers/http2.js';

it.each([
  ['plain', false],
  ['TLS', true],
])('sends the head of an event stream on HTTP/2 (%s), without a Connection header', async (_kind, tls) => {
  const { url, sse } = await serveHttp2Hub({ tls });
  const client = await openHttp2(url, '/ann');
  expect(client.headers).toMatchObject({
    ':status': 200,
    'content-type': 'text/event-stream; charset=utf-8',
    'cache-control': 'no-cache, no-transform',
    'x-accel-buffering': 'no',
  });
  expect(client.headers).not.toHaveProperty('connection');
  await client.until(({ retries }) => retries.length === 1);
  expect(sse.sendToUser('ann', 'hello')).toBe(1);
  expect((await client.received(1))[0]?.data).toBe('"hello"');
});

it('adds, replaces and removes headers on HTTP/2, and drops those that HTTP/2 forbids', async () => {
  const headers = {
    'X-Mine': 'yes',
    'CACHE-control': 'no-store',
    'X-Accel-Buffering': undefined,
    Connection: 'keep-alive',
    'Keep-Alive': 'timeout=5',
    'Transfer-Encoding': 'chunked',
    Upgrade: 'h3',
    TE: 'trailers',
  };
  const { url } = await serveHttp2Hub({ register: { headers } });
  const client = await openHttp2(url, '/ann');
  expect(client.headers).toMatchObject({ ':status': 200, 'x-mine': 'yes', 'cache-control': 'no-store' });
  for (const name of ['connection', 'keep-alive', 'transfer-encoding', 'upgrade', 'te', 'x-accel-buffering']) {
    expect(client.headers).not.toHaveProperty(name);
  }
});

it('carries many streams of one session', async () => {
  const { url, sse } = await serveHttp2Hub({ tls: true });
  const first = await openHttp2(url, '/ann');
  const others = await Promise.all(['bob', 'cy', 'dot'].map((name) => openHttp2(url, `/${name}`, first)));
  expect(sse.sendToAll({ to: 'all' })).toBe(4);
  for (const client of [first, ...others]) expect((await client.received(1))[0]?.data).toContain('"to":"all"');
  first.stream.close();
  await new Promise((resolve) => sse.once('disconnect', resolve));
  expect(sse.sendToAll('rest')).toBe(3);
});
