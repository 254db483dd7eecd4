import { EventSource } from 'eventsource';
import { expect, it } from 'vitest';
import { atEnd } from '../helpers/cleanup.js';
import { openStream } from '../helpers/client.js';
import { collect, next } from '../helpers/emitted.js';
import { openHttp2, serveHttp2Hub } from '../helpers/http2.js';
import { serveHub } from '../helpers/server.js';

/** Without it a page of another origin learns nothing, and its EventSource gives up. */
const CORS = { 'access-control-allow-origin': '*' };
/** A refusal that is kept would keep away who could come in. */
const CACHED = { 'cache-control': 'public, max-age=60' };
const register = { headers: { ...CORS, ...CACHED } };
const INERT = { connId: '', closed: true, rooms: [] };

it('sends a client over maxConnections away with a time to come back, and a clean end', async () => {
  const { sse, url, handle } = await serveHub({ hub: { maxConnections: 2, retryMs: 1500 }, register });
  const connects = collect(sse, 'connect');
  const disconnects = collect(sse, 'disconnect');
  await openStream(`${url}/ann`);
  await openStream(`${url}/bob`);
  const retries = new Set<number | undefined>();
  for (let n = 0; n < 10; n += 1) {
    const third = await openStream(`${url}/cy?rooms=a`);
    await third.over;
    expect(third).toMatchObject({ status: 200, ended: true, events: [] });
    expect(third.headers).toMatchObject({ 'content-type': 'text/event-stream; charset=utf-8', ...CORS });
    expect(third.raw).toMatch(/^retry: \d+\n\n$/);
    expect(third.retries[0]).toBeGreaterThanOrEqual(1500);
    retries.add(third.retries[0]);
  }
  expect(retries.size).toBeGreaterThan(1);
  expect(await handle(2)).toMatchObject({ ...INERT, userId: 'cy', refused: 'limit' });
  expect(sse.stats()).toMatchObject({ connections: 2, users: 2, rooms: 0, refused: { limit: 10 } });
  expect(connects).toHaveLength(2);
  expect(disconnects).toHaveLength(0);
});

it.each([
  [0, 1000],
  [2 ** 31 - 1, 2 ** 31 - 1],
])(
  'sends away for at least a second, and for no longer than timers take: of %i ms for %i ms',
  async (retryMs, least) => {
    const { sse, url } = await serveHub({ hub: { retryMs } });
    sse.stopAccepting();
    const client = await openStream(`${url}/ann`);
    await client.over;
    expect(client.retries[0]).toBeGreaterThanOrEqual(least);
    expect(client.retries[0]).toBeLessThanOrEqual(Math.max(3000, retryMs));
  },
);

it('lets a browser’s EventSource come back by itself when there is room again', async () => {
  const { sse, url, handle } = await serveHub({ hub: { maxConnections: 1, retryMs: 0 } });
  const first = await openStream(`${url}/ann`);
  const source = new EventSource(`${url}/bob`);
  atEnd(() => source.close());
  expect(await handle(1)).toMatchObject({ refused: 'limit' });
  const left = next(sse, 'disconnect');
  first.close();
  await left;
  const { userId } = await next(sse, 'connect');
  expect(userId).toBe('bob');
  expect(source.readyState).not.toBe(source.CLOSED);
});

it('answers 429 over maxConnectionsPerUser, and takes 42 and "42" for one user', async () => {
  const { sse, url, handle } = await serveHub({ hub: { maxConnectionsPerUser: 1 }, register });
  const first = await openStream(`${url}/42`);
  const second = await openStream(`${url}/42`);
  await second.over;
  expect(second.status).toBe(429);
  expect(second.headers['content-type']).not.toContain('event-stream');
  expect(second.headers).toMatchObject({ ...CORS, 'cache-control': 'no-store' });
  // Seconds, and whole ones: once to three times the usual time.
  expect(second.headers['retry-after']).toMatch(/^[2-6]$/);
  expect(await handle(1)).toMatchObject({ ...INERT, userId: '42', refused: 'user-limit' });
  expect((await openStream(`${url}/43`)).status).toBe(200);
  expect(sse.stats()).toMatchObject({ connections: 2, refused: { 'user-limit': 1, limit: 0 } });
  expect(sse.getUserConnectionCount(42)).toBe(1);
  const left = next(sse, 'disconnect');
  first.close();
  await left;
  expect((await openStream(`${url}/42`)).status).toBe(200);
});

it('lets nobody in after stopAccepting, and those who are in stay', async () => {
  const { sse, url, handle } = await serveHub();
  const ann = await openStream(`${url}/ann`);
  await handle(0);
  sse.stopAccepting();
  sse.stopAccepting();
  const bob = await openStream(`${url}/bob`);
  await bob.over;
  expect(bob).toMatchObject({ status: 200, ended: true });
  expect(bob.retries[0]).toBeGreaterThanOrEqual(2000);
  expect(await handle(1)).toMatchObject({ ...INERT, refused: 'draining' });
  expect(sse.stats()).toMatchObject({ connections: 1, draining: true, refused: { draining: 1 } });
  expect(sse.sendToAll('still')).toBe(1);
  await ann.received(1);
});

it('sends away over HTTP/2 alike', async () => {
  const { url, handle } = await serveHttp2Hub({ hub: { maxConnections: 1 } });
  const first = await openHttp2(url, '/ann');
  const second = await openHttp2(url, '/bob', first);
  await second.over;
  expect(second.ended).toBe(true);
  expect(second.headers[':status']).toBe(200);
  expect(second.retries[0]).toBeGreaterThanOrEqual(2000);
  expect(await handle(1)).toMatchObject({ ...INERT, refused: 'limit' });
});

it('counts in no object that stats() gave before', async () => {
  const { sse, url } = await serveHub({ hub: { maxConnections: 1 } });
  const before = sse.stats();
  const copy = structuredClone(before);
  const client = await openStream(`${url}/ann`, { lastEventId: 'unknown' });
  await client.event('server:gap');
  await (await openStream(`${url}/bob`)).over;
  expect(before).toEqual(copy);
  const { sinks, ...after } = sse.stats();
  expect(after).toMatchObject({ refused: { limit: 1 }, gaps: { unknown: 1 } });
  expect(sinks).not.toEqual(before.sinks);
});
