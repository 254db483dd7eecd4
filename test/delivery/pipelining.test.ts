import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { expect, it } from 'vitest';
import { SSEKify } from '../../src/index.js';
import { connectRaw, wireResponses } from '../helpers/raw-client.js';
import { endWithTest, serve, serveHub } from '../helpers/server.js';

it('gives a pipelined stream its turn, with all its frames, when the one before it ends', async () => {
  const { sse, port, handle } = await serveHub();
  const client = await connectRaw(port);
  client.get('/ann');
  client.get('/bob');
  await handle(1);
  expect(sse.sendToUser('bob', 'one')).toBe(1);
  expect(sse.sendToUser('ann', 'hers')).toBe(1);
  await client.until((text) => text.includes('"hers"'));
  expect(sse.sendToUser('bob', 'two')).toBe(1);
  expect(client.text).not.toContain('"one"');
  (await handle(0)).close();
  await client.until((text) => text.includes('"two"'));
  expect(sse.sendToUser('bob', 'three')).toBe(1);
  (await handle(1)).close();
  await client.until((text) => wireResponses(text)[1]?.complete === true);
  const [first, second] = wireResponses(client.text);
  expect(first).toMatchObject({ complete: true });
  expect(first?.body).toMatch(/^retry: 2000\n\nid: .*\ndata: "hers"\n\n$/);
  expect(second?.body.match(/data: .*/g)).toEqual(['data: "one"', 'data: "two"', 'data: "three"']);
});

it('bounds what waits for a pipelined stream, and delivers the rest in order when its turn comes', async () => {
  const { sse, port, handle } = await serveHub();
  const client = await connectRaw(port);
  client.get('/ann');
  client.get('/bob');
  await handle(1);
  const text = 'x'.repeat(10_000);
  for (let n = 0; n < 300; n += 1) {
    sse.sendToUser('bob', `${n} ${text}`, { text: true });
    await new Promise((resolve) => setImmediate(resolve));
  }
  const { droppedOldest } = sse.stats();
  expect(droppedOldest).toBeGreaterThan(200);
  (await handle(0)).close();
  await client.until((received) => received.includes('data: 299 '));
  (await handle(1)).close();
  await client.until((received) => wireResponses(received)[1]?.complete === true);
  const body = wireResponses(client.text)[1]?.body ?? '';
  const numbers = [...body.matchAll(/^data: (\d+) /gm)].map(([, number]) => Number(number));
  expect(numbers).toHaveLength(300 - droppedOldest);
  expect(numbers).toEqual([...numbers].sort((a, b) => a - b));
  expect(body.match(/event: server:gap/g)).toHaveLength(1);
});

it('answers an ordinary request on the same connection after a stream ended', async () => {
  const sse = new SSEKify();
  endWithTest(sse);
  const { port } = await serve((req, res) => {
    if (req.url === '/plain') res.end('plain');
    else sse.registerConnection('ann', res);
  });
  const client = await connectRaw(port);
  client.get('/stream');
  await client.until((text) => text.includes('retry'));
  client.get('/plain');
  sse.close('ann');
  await client.until((text) => text.endsWith('plain'));
  const [stream, plain] = wireResponses(client.text);
  expect(stream).toMatchObject({ body: 'retry: 2000\n\n', complete: true });
  expect(plain).toMatchObject({ body: 'plain', complete: true });
});

it('leaves no listener on the socket of pipelined streams', async () => {
  const sse = new SSEKify();
  endWithTest(sse);
  const counts: number[][] = [];
  const { port } = await serve((req, res) => {
    counts.push(['close', 'end', 'error', 'drain'].map((event) => req.socket.listenerCount(event)));
    if (req.url === '/plain') res.end('plain');
    else sse.registerConnection('ann', res);
  });
  const client = await connectRaw(port);
  client.get('/plain');
  await client.until((text) => text.endsWith('plain'));
  for (let n = 0; n < 3; n += 1) client.get('/stream');
  await client.until((text) => text.includes('retry'));
  sse.close();
  await client.until((text) => wireResponses(text)[3]?.complete === true);
  client.get('/plain');
  await client.until((text) => wireResponses(text)[4]?.complete === true);
  expect(counts.at(-1)).toEqual(counts[0]);
});

it.each([
  ['was destroyed', (res: ServerResponse) => res.destroy(), false],
  ['has lost its client', () => undefined, true],
])('refuses a pipelined response that %s before its turn', async (_how, spoil, resets) => {
  const sse = new SSEKify();
  endWithTest(sse);
  const responses: ServerResponse[] = [];
  const { port, server } = await serve((_req, res) => responses.push(res));
  const client = await connectRaw(port);
  client.get('/ann');
  client.get('/bob');
  while (responses.length < 2) await once(server, 'request');
  const [, queued] = responses;
  if (queued === undefined) throw new Error('no response');
  const socketClosed = new Promise((resolve) => queued.req.socket.on('close', resolve));
  spoil(queued);
  if (resets) {
    client.socket.resetAndDestroy();
    await socketClosed;
  }
  expect(sse.registerConnection('bob', queued)).toMatchObject({ closed: true, refused: 'gone' });
  expect(sse.stats()).toMatchObject({ connections: 0, refused: { gone: 1 } });
});
