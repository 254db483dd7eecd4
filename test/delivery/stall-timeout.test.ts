import https from 'node:https';
import type { Readable } from 'node:stream';
import { Worker } from 'node:worker_threads';
import { expect, it } from 'vitest';
import type { SSEKify } from '../../src/index.js';
import { atEnd } from '../helpers/cleanup.js';
import { openStream } from '../helpers/client.js';
import { collect, next } from '../helpers/emitted.js';
import { openHttp2, serveHttp2Hub } from '../helpers/http2.js';
import { serveHub } from '../helpers/server.js';
import { STALL_HUB, stall, turn } from '../helpers/stall.js';

const hub = { ...STALL_HUB, keepAliveMs: 0, connection: { stallTimeoutMs: 200 } };

/** Reads about 20 MB a second: slowly enough to be behind, fast enough for the kernel to show it within the timeout. */
function trickle(body: Readable): void {
  let taken = 0;
  body.on('data', (chunk: string | Buffer) => {
    taken += chunk.length;
    if (taken < 128 * 1024) return;
    taken = 0;
    body.pause();
    const timer = setTimeout(() => body.resume(), 5);
    atEnd(() => clearTimeout(timer));
  });
  body.resume();
}

/** A machine that is busy has the client stand still for a while as well. */
const PATIENT = { ...hub, connection: { stallTimeoutMs: 600 } };
const MEGABYTES = 40;
/** Longer than that timeout, whenever it was looked at. */
const LONG_MS = 1500;

/** What a client that reads slowly is sent: most of it waits here, or all of it in the socket. */
const LOADS: [what: string, send: (sse: SSEKify) => unknown][] = [
  ['of many events', (sse) => stall(sse, 'ann', MEGABYTES)],
  ['of one large event', (sse) => sse.sendToUser('ann', 'x'.repeat(MEGABYTES * 1024 * 1024), { text: true })],
];

it.each([
  ['after several writes', 16],
  ['on its first write, of several megabytes', 0],
])('disconnects a client that takes nothing, %s', async (_when, megabytes) => {
  const { sse, url } = await serveHub({ hub });
  const client = await openStream(`${url}/ann`, { paused: true });
  const left = next(sse, 'disconnect');
  if (megabytes > 0) await stall(sse, 'ann', megabytes);
  else sse.sendToUser('ann', 'x'.repeat(16 * 1024 * 1024), { text: true });
  const { reason, durationMs } = await left;
  expect(reason).toBe('stalled');
  expect(durationMs).toBeGreaterThanOrEqual(195);
  expect(sse.stats()).toMatchObject({ connections: 0, disconnectedByStall: 1, disconnectedByBackpressure: 0 });
  client.resume();
  await client.over;
  expect(client.ended).toBe(false);
});

it.each([
  ['plain', false],
  ['TLS', true],
])('disconnects an HTTP/2 client that takes nothing (%s)', async (_kind, tls) => {
  const { sse, url } = await serveHttp2Hub({ hub, tls });
  const client = await openHttp2(url, '/ann', { paused: true });
  const left = next(sse, 'disconnect');
  await stall(sse, 'ann', 4);
  expect(await left).toMatchObject({ reason: 'stalled' });
  expect(sse.stats().connections).toBe(0);
  client.resume();
  await client.over;
  expect(client.stream.rstCode).not.toBe(0);
});

it.each(LOADS)('spares a client that takes a little at a time %s', async (_what, send) => {
  const { sse, url } = await serveHub({ hub: PATIENT });
  const client = await openStream(`${url}/ann`, { paused: true });
  const all = collect(sse, 'disconnect');
  trickle(client.response);
  const startedAt = performance.now();
  await send(sse);
  const over = sse.close('ann');
  expect(over).toBe(1);
  await client.over;
  expect(performance.now() - startedAt).toBeGreaterThan(LONG_MS);
  expect(all).toMatchObject([{ reason: 'server' }]);
  expect(sse.stats().disconnectedByStall).toBe(0);
});

it.each(LOADS)('spares a client over TLS that takes a little at a time %s', async (_what, send) => {
  const { sse, url } = await serveHub({ hub: PATIENT, tls: true });
  const request = https.get(`${url}/ann`, { rejectUnauthorized: false, agent: false });
  request.on('error', () => undefined);
  atEnd(() => request.destroy());
  const response = await new Promise<import('node:http').IncomingMessage>((resolve) => request.on('response', resolve));
  const over = new Promise<boolean>((resolve) => response.on('close', () => resolve(response.complete)));
  const startedAt = performance.now();
  trickle(response);
  await send(sse);
  sse.close('ann');
  expect(await over).toBe(true);
  expect(performance.now() - startedAt).toBeGreaterThan(LONG_MS);
  expect(sse.stats().disconnectedByStall).toBe(0);
});

it.each(LOADS)('spares an HTTP/2 client that takes a little at a time %s', async (_what, send) => {
  const { sse, url } = await serveHttp2Hub({ hub: PATIENT });
  const client = await openHttp2(url, '/ann', { paused: true });
  const startedAt = performance.now();
  trickle(client.stream);
  await send(sse);
  sse.close('ann');
  await client.over;
  expect(client.ended).toBe(true);
  expect(performance.now() - startedAt).toBeGreaterThan(LONG_MS);
  expect(sse.stats().disconnectedByStall).toBe(0);
});

it('never disconnects a client for its silence with 0, nor one for whom nothing waits', async () => {
  const { sse, url } = await serveHub({ hub: { ...hub, connection: { stallTimeoutMs: 0 } } });
  const quick = await serveHub({ hub: { ...hub, connection: { stallTimeoutMs: 1 } } });
  await openStream(`${url}/ann`, { paused: true });
  await openStream(`${quick.url}/quiet`, { paused: true });
  const stalled = next(quick.sse, 'disconnect');
  await stall(sse, 'ann');
  await openStream(`${quick.url}/bob`, { paused: true });
  await stall(quick.sse, 'bob');
  expect(await stalled).toMatchObject({ userId: 'bob', reason: 'stalled' });
  expect(sse.stats().connections).toBe(1);
  expect(quick.sse.isUserOnline('quiet')).toBe(true);
});

it('cuts off a client that was closed while it took nothing', async () => {
  const { sse, url } = await serveHub({ hub });
  const client = await openStream(`${url}/ann`, { paused: true });
  const all = collect(sse, 'disconnect');
  await stall(sse, 'ann');
  sse.close('ann');
  expect(all).toMatchObject([{ reason: 'server' }]);
  const over = sse.shutdown({ announce: false, graceMs: 60_000 });
  await over;
  client.resume();
  await client.over;
  expect(client.ended).toBe(false);
  expect(all).toHaveLength(1);
});

/** Reads from a thread of its own, once it is let, and counts. */
const READER = `
  const { workerData } = require('node:worker_threads');
  const { port, counts } = workerData;
  const socket = require('node:net').connect(port, '127.0.0.1', () => socket.write('GET /ann HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n'));
  socket.pause().on('data', (bytes) => Atomics.add(counts, 1, bytes.length)).on('error', () => undefined);
  const look = setInterval(() => {
    if (Atomics.load(counts, 0) === 0) return;
    clearInterval(look);
    socket.resume();
  }, 5);
`;

it('spares a client that read while this process was held up', async () => {
  const { sse, url } = await serveHub({ hub: PATIENT });
  const counts = new Int32Array(new SharedArrayBuffer(8));
  const came = next(sse, 'connect');
  const reader = new Worker(READER, { eval: true, workerData: { port: Number(new URL(url).port), counts } });
  atEnd(() => reader.terminate());
  await came;
  await stall(sse, 'ann');
  // After sockets were served: timers come next.
  await turn();
  Atomics.store(counts, 0, 1);
  const until = performance.now() + 900;
  let quietUntil = 0;
  for (let seen = 0; performance.now() < Math.max(until, quietUntil) || seen === 0; ) {
    const taken = Atomics.load(counts, 1);
    if (taken !== seen) quietUntil = performance.now() + 100;
    seen = taken;
  }
  await expect.poll(() => Atomics.load(counts, 1), { timeout: 10_000 }).toBeGreaterThan(16 * 1024 * 1024);
  expect(sse.stats()).toMatchObject({ connections: 1, disconnectedByStall: 0 });
});
