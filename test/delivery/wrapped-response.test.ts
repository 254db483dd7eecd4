import http from 'node:http';
import zlib from 'node:zlib';
import compression from 'compression';
import express from 'express';
import { expect, it } from 'vitest';
import { SSEKify } from '../../src/index.js';
import { atEnd } from '../helpers/cleanup.js';
import { readEvents, type StreamReader } from '../helpers/client.js';
import { collect, next } from '../helpers/emitted.js';
import { endWithTest, serve } from '../helpers/server.js';

async function serveCompressed() {
  const sse = new SSEKify();
  endWithTest(sse);
  const app = express();
  // As the documentation of compression says: 'no-transform' would turn it off.
  app.use(compression());
  app.get('/:user', (req, res) => {
    sse.registerConnection(req.params.user, res, { headers: { 'Cache-Control': 'no-cache' } });
  });
  const { url } = await serve(app);
  return { sse, url };
}

async function openCompressed(url: string): Promise<{ reader: StreamReader; response: http.IncomingMessage }> {
  const request = http.get(url, { headers: { 'Accept-Encoding': 'gzip' }, agent: false });
  request.on('error', () => undefined);
  atEnd(() => request.destroy());
  const response = await new Promise<http.IncomingMessage>((resolve) => request.on('response', resolve));
  expect(response.headers['content-encoding']).toBe('gzip');
  const plain = response.pipe(zlib.createGunzip({ flush: zlib.constants.Z_SYNC_FLUSH }));
  return { reader: readEvents(plain), response };
}

it('delivers at once through compressing middleware, and exactly', async () => {
  const { sse, url } = await serveCompressed();
  const { reader } = await openCompressed(`${url}/ann`);
  for (let n = 0; n < 5; n += 1) {
    expect(sse.sendToUser('ann', { n, text: 'ä'.repeat(n * 10) })).toBe(1);
    // Each one arrives with nothing behind it to push it out.
    await reader.received(n + 1);
  }
  expect(sse.close('ann')).toBe(1);
  await reader.over;
  expect(reader.ended).toBe(true);
  expect(reader.events.map(({ data }) => JSON.parse(data).n)).toEqual([0, 1, 2, 3, 4]);
  expect(reader.raw.startsWith('retry: 2000\n\nid: ')).toBe(true);
});

it('delivers large events at once through compressing middleware', async () => {
  const { sse, url } = await serveCompressed();
  const { reader } = await openCompressed(`${url}/ann`);
  for (let n = 1; n <= 3; n += 1) {
    const noise = Array.from({ length: 20_000 }, () => Math.random().toString(36)).join('');
    sse.sendToUser('ann', noise, { text: true });
    expect((await reader.received(n))[n - 1]?.data).toBe(noise);
  }
});

it('bounds what waits for a slow reader of a compressed stream', async () => {
  const { sse, url } = await serveCompressed();
  const { reader, response } = await openCompressed(`${url}/ann`);
  await reader.until(({ retries }) => retries.length === 1);
  response.pause();
  const gaps = collect(sse, 'gap');
  let accepted = 0;
  for (let n = 0; n < 400; n += 1) {
    const noise = Array.from({ length: 4000 }, () => Math.random().toString(36)).join('');
    accepted += sse.sendToUser('ann', { n, noise });
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { droppedOldest, queueItemsMax, queueBytesMax } = sse.stats();
  expect(droppedOldest).toBeGreaterThan(0);
  expect(queueItemsMax).toBeLessThanOrEqual(100);
  expect(queueBytesMax).toBeLessThanOrEqual(256 * 1024);
  response.resume();
  await reader.until(({ events }) => events.some(({ data }) => data.startsWith('{"n":399')));
  const numbers = reader.events.filter(({ event }) => event === undefined).map(({ data }) => JSON.parse(data).n);
  expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  expect(numbers.length + droppedOldest).toBe(accepted);
  expect(gaps.length).toBe(reader.events.filter(({ event }) => event === 'server:gap').length);
});

it('notices that the client of a compressed stream left', async () => {
  const { sse, url } = await serveCompressed();
  const { response } = await openCompressed(`${url}/ann`);
  const left = next(sse, 'disconnect');
  response.destroy();
  expect(await left).toMatchObject({ reason: 'client' });
  expect(sse.stats().connections).toBe(0);
});
