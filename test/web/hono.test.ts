import { type Http2Bindings, type HttpBindings, serve } from '@hono/node-server';
import { Hono } from 'hono';
import { compress } from 'hono/compress';
import { cors } from 'hono/cors';
import { expect, it } from 'vitest';
import type { RegisteredConnectionHandle, SSEKifyOptions } from '../../src/index.js';
import { atEnd } from '../helpers/cleanup.js';
import { openStream } from '../helpers/client.js';
import { collect, next } from '../helpers/emitted.js';
import { connectRaw } from '../helpers/raw-client.js';
import { STALL_HUB, stall } from '../helpers/stall.js';
import { createHub } from './responses.js';

type Bindings = HttpBindings | Http2Bindings;

/** A hub in a real application of Hono's, on a real server: `GET /<userId>`. */
async function serveHono(options?: SSEKifyOptions) {
  const sse = createHub(options);
  const handles: RegisteredConnectionHandle[] = [];
  const app = new Hono<{ Bindings: Bindings }>();
  app.use(cors(), compress());
  app.use(async (c, go) => {
    c.header('Set-Cookie', 'session=1');
    await go();
  });
  app.get('/:user', (c) =>
    sse.respond(c.req.raw, c.req.param('user'), {
      rooms: c.req.queries('room'),
      connected: (handle) => handles.push(handle),
    }),
  );
  const url = await new Promise<string>((resolve) => {
    const server = serve({ fetch: app.fetch, port: 0, hostname: '127.0.0.1' }, ({ port }) =>
      resolve(`http://127.0.0.1:${port}`),
    );
    atEnd(
      () =>
        new Promise<void>((done) => {
          server.close(() => done());
          if ('closeAllConnections' in server) server.closeAllConnections();
        }),
    );
  });
  return { sse, url, handles };
}

it('streams to users and rooms, behind middleware that sets headers and would compress', async () => {
  const { sse, url } = await serveHono();
  const headers = { 'Accept-Encoding': 'gzip' };
  const ann = await openStream(`${url}/ann?room=a&room=b`, { headers });
  const bob = await openStream(`${url}/bob?room=a`, { headers });
  expect(ann.headers).toMatchObject({
    'content-type': 'text/event-stream; charset=utf-8',
    'access-control-allow-origin': '*',
    'set-cookie': ['session=1'],
  });
  expect(ann.headers['content-encoding']).toBeUndefined();
  sse.sendToRoom('a', 'both');
  sse.sendToUser('ann', 'é日本🎉');
  sse.sendToAll('all');
  expect((await ann.received(3)).map(({ data }) => data)).toEqual(['"both"', '"é日本🎉"', '"all"']);
  expect((await bob.received(2)).map(({ data }) => data)).toEqual(['"both"', '"all"']);
  expect(sse.stats().sinks).toEqual({ socket: 0, response: 0, web: 2 });
});

it('resumes where a client was, by an id that is not ASCII', async () => {
  const { sse, url, handles } = await serveHono();
  for (const id of ['é日本', 'next']) sse.sendToUser('ann', id, { id });
  const client = await openStream(`${url}/ann`, { lastEventId: 'é日本' });
  expect(await client.received(1)).toMatchObject([{ id: 'next' }]);
  expect(handles).toMatchObject([{ lastEventId: 'é日本', refused: undefined }]);
});

it('forgets clients that leave, one by one and in any state, once each', async () => {
  const { sse, url } = await serveHono({ ...STALL_HUB, keepAliveMs: 0 });
  const disconnects = collect(sse, 'disconnect');
  const quiet = await openStream(`${url}/quiet`);
  const behind = await openStream(`${url}/behind`, { paused: true });
  await stall(sse, 'behind', 8);
  for (const client of [quiet, behind]) {
    const left = next(sse, 'disconnect');
    client.close();
    await left;
  }
  expect(disconnects.map(({ userId, reason }) => [userId, reason])).toEqual([
    ['quiet', 'client'],
    ['behind', 'client'],
  ]);
  expect(sse.stats()).toMatchObject({ connections: 0, users: 0, rooms: 0 });
});

it('passes the backpressure of a socket on: a paused client is bounded, told of its loss once, and gets the rest in order', async () => {
  const { sse, url } = await serveHono({ recentBufferSize: 0 });
  const client = await openStream(`${url}/ann`, { paused: true });
  const text = 'x'.repeat(16 * 1024);
  let sent = 0;
  while (sse.stats().droppedOldest < 100) {
    sse.sendToUser('ann', { n: sent, text });
    sent += 1;
    await new Promise((resolve) => setImmediate(resolve));
  }
  expect(sse.stats().queueBytesMax).toBeLessThanOrEqual(256 * 1024);
  client.resume();
  sse.sendToUser('ann', 'end');
  await client.until(({ events }) => events.at(-1)?.data === '"end"');
  const numbers = client.events
    .slice(0, -1)
    .map(({ event, data }) => (event === 'server:gap' ? event : JSON.parse(data).n));
  const gapAt = numbers.indexOf('server:gap');
  const rest = numbers.slice(gapAt + 1);
  expect(numbers.slice(0, gapAt)).toEqual(Array.from({ length: gapAt }, (_, n) => n));
  expect(rest).toEqual(Array.from({ length: rest.length }, (_, n) => sent - rest.length + n));
  expect(sse.stats()).toMatchObject({ gaps: { dropped: 1 }, droppedOldest: sent - gapAt - rest.length });
});

it('disconnects a client whose socket takes nothing', async () => {
  const { sse, url } = await serveHono({ ...STALL_HUB, keepAliveMs: 0, connection: { stallTimeoutMs: 200 } });
  const client = await openStream(`${url}/ann`, { paused: true });
  const left = next(sse, 'disconnect');
  await stall(sse, 'ann', 16);
  expect(await left).toMatchObject({ reason: 'stalled' });
  client.resume();
  await client.over;
  expect(client.ended).toBe(false);
});

it('answers HEAD, and refusals', async () => {
  const { sse, url, handles } = await serveHono({ maxConnectionsPerUser: 1 });
  const head = await openStream(`${url}/ann`, { method: 'HEAD' });
  await head.over;
  expect(head.status).toBe(200);
  expect(head.headers['content-type']).toBe('text/event-stream; charset=utf-8');
  await openStream(`${url}/ann`);
  const second = await openStream(`${url}/ann`);
  await second.over;
  expect(second.status).toBe(429);
  sse.stopAccepting();
  const late = await openStream(`${url}/bob`);
  await late.over;
  expect([late.status, late.retries.length, late.ended]).toEqual([200, 1, true]);
  expect(handles.map(({ refused }) => refused)).toEqual(['head', undefined, 'user-limit', 'draining']);
});

it('ends its streams at a shutdown', async () => {
  const { sse, url } = await serveHono();
  const clients = [await openStream(`${url}/ann`), await openStream(`${url}/bob`, { paused: true })];
  await stall(sse, 'bob', 16);
  await sse.shutdown({ graceMs: 500 });
  for (const client of clients) client.resume();
  await Promise.all(clients.map(({ over }) => over));
  expect(clients.map(({ ended }) => ended)).toEqual([true, false]);
  expect(sse.stats().connections).toBe(0);
});

it('lets no client come back by its connection while nobody is let in any more', async () => {
  const { sse, url } = await serveHono();
  const client = await connectRaw(Number(new URL(url).port), { allowHalfOpen: false });
  client.get('/ann', ['Connection: keep-alive']);
  await client.until((text) => text.includes('retry: 2000'));
  await sse.shutdown({ graceMs: 20 });
  await client.until((text) => text.endsWith('\r\n0\r\n\r\n'));
  client.get('/ann', ['Connection: keep-alive']);
  await client.closed;
  expect(client.text).toMatch(/\r\nconnection: close\r\n.*\r\n\r\n.*retry: \d+\n\n.*$/is);
});
