import https from 'node:https';
import { expect, it } from 'vitest';
import { atEnd } from '../helpers/cleanup.js';
import { readEvents } from '../helpers/client.js';
import { next } from '../helpers/emitted.js';
import { serveHub } from '../helpers/server.js';

it('serves and cleans up over TLS', async () => {
  const { url, sse, handle } = await serveHub({ tls: true });
  const request = https.get(`${url}/ann`, { rejectUnauthorized: false, agent: false });
  request.on('error', () => undefined);
  atEnd(() => request.destroy());
  const response = await new Promise<import('node:http').IncomingMessage>((resolve) => request.on('response', resolve));
  const reader = readEvents(response);
  (await handle(0)).send('hello');
  expect((await reader.received(1))[0]?.data).toBe('"hello"');
  expect(sse.stats().sinks).toEqual({ socket: 0, response: 1, web: 0 });
  const left = next(sse, 'disconnect');
  request.destroy();
  expect(await left).toMatchObject({ userId: 'ann', reason: 'client' });
  expect(sse.stats()).toMatchObject({ connections: 0, users: 0 });
});
