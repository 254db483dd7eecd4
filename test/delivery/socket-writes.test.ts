import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import type { Socket } from 'node:net';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { SSEKify } from '../../src/index.js';
import { openStream } from '../helpers/client.js';
import { collect } from '../helpers/emitted.js';
import { connectRaw } from '../helpers/raw-client.js';
import { endWithTest, serve, serveHub } from '../helpers/server.js';
import { randomFrom, STALL_HUB, turn } from '../helpers/stall.js';

const BOUNDLESS = { maxQueueItems: 1_000_000, maxQueueBytes: 2 ** 30 };

async function serveResponses(register = {}) {
  const responses: ServerResponse[] = [];
  const served = await serveHub({
    hub: STALL_HUB,
    register: { ...BOUNDLESS, ...register },
    before: (_req, res) => responses.push(res),
  });
  const response = async (index: number) => {
    await served.handle(index);
    const found = responses[index];
    if (found?.socket === undefined || found.socket === null) throw new Error('no socket');
    return Object.assign(found, { socket: found.socket });
  };
  return { ...served, response };
}

function uncork(socket: Socket): void {
  while (socket.writableCorked > 0) socket.uncork();
}

it.each([1, 2, 3])(
  'keeps the order of events and of what the application writes itself, corked or not (seed %d)',
  async (seed) => {
    const random = randomFrom(seed);
    const { sse, url, response } = await serveResponses();
    const client = await openStream(`${url}/ann`);
    const res = await response(0);
    const expected: string[] = [];
    for (let n = 0; n < 500; n += 1) {
      const own = random() < 0.4;
      expected.push(own ? `own ${n}` : `${n}`);
      if (own) res.write(`data: own ${n}\n\n`);
      else {
        sse.sendToUser('ann', `${n}`, { text: true });
        // It leaves at the end of the turn, what the application writes at once.
        await turn();
        await turn();
      }
      const chance = random();
      if (chance < 0.2) res.socket.cork();
      else if (chance < 0.5) uncork(res.socket);
      else if (chance < 0.6) await wait(1);
    }
    uncork(res.socket);
    expect((await client.received(500)).map(({ data }) => data)).toEqual(expected);
  },
);

it('writes through whoever wraps the write of the socket later', async () => {
  const { sse, url, response } = await serveResponses();
  const client = await openStream(`${url}/ann`);
  const { socket } = await response(0);
  sse.sendToUser('ann', 'before', { text: true });
  await client.received(1);
  const written: string[] = [];
  const write = socket.write.bind(socket);
  socket.write = (chunk: unknown, ...rest: unknown[]) => {
    written.push(String(chunk));
    return Reflect.apply(write, socket, [chunk, ...rest]);
  };
  sse.sendToUser('ann', 'after', { text: true });
  expect((await client.received(2)).map(({ data }) => data)).toEqual(['before', 'after']);
  expect(written.join('')).toContain('data: after\n\n');
});

it('goes on when a client has taken what went through whoever wraps the write of the socket', async () => {
  const { sse, url, response } = await serveResponses();
  const client = await openStream(`${url}/ann`, { paused: true });
  const { socket } = await response(0);
  const write = socket.write.bind(socket);
  socket.write = (...args: unknown[]) => Reflect.apply(write, socket, args);
  for (const text of ['x'.repeat(8_000_000), 'after']) {
    sse.sendToUser('ann', text, { text: true });
    await turn();
    await turn();
  }
  expect(sse.stats().queueItemsMax).toBe(1);
  client.resume();
  expect((await client.received(2))[1]?.data).toBe('after');
});

it('parts with a client to whom writing fails, though nothing else tells that it is gone', async () => {
  const { sse, url, response } = await serveResponses();
  const left = collect(sse, 'disconnect');
  await openStream(`${url}/ann`);
  const { socket } = await response(0);
  type Done = (error: Error) => void;
  const fail = (...args: [...unknown[], Done]) => (args.at(-1) as Done)(new Error('write EPIPE'));
  Object.assign(socket, { _write: fail, _writev: fail });
  sse.sendToUser('ann', 'lost');
  await expect.poll(() => left).toMatchObject([{ userId: 'ann' }]);
  expect(sse.stats().connections).toBe(0);
});

it('writes nothing into a socket that the application has corked before what it holds back', async () => {
  const { sse, url, response } = await serveResponses();
  const client = await openStream(`${url}/ann`);
  const res = await response(0);
  res.socket.cork();
  res.write('data: first\n\n');
  sse.sendToUser('ann', 'second', { text: true });
  await turn();
  await turn();
  res.socket.uncork();
  expect((await client.received(2)).map(({ data }) => data)).toEqual(['first', 'second']);
});

it('waits until the client has taken what the application wrote, and goes on behind it', async () => {
  const filler = `: ${'x'.repeat(8_000_000)}\n\n`;
  const sse = new SSEKify();
  endWithTest(sse);
  const { url, server } = await serve((_req, res) => {
    res.writeHead(200, { 'Content-Type': 'text/event-stream' });
    res.write(filler);
  });
  const requested = once(server, 'request');
  const client = await openStream(url, { paused: true });
  const [, res] = await requested;
  await turn();
  sse.registerConnection('ann', res);
  sse.sendToUser('ann', 'one');
  await turn();
  expect(sse.stats().queueItemsMax).toBe(1);
  client.resume();
  expect((await client.received(1)).map(({ data }) => data)).toEqual(['"one"']);
});

it('waits until the client has taken what the application wrote later, and goes on behind it', async () => {
  const { sse, url, response } = await serveResponses();
  const client = await openStream(`${url}/ann`, { paused: true });
  const res = await response(0);
  const { socket } = res;
  const before = socket.listenerCount('drain');
  res.write(`: ${'x'.repeat(8_000_000)}\n\n`);
  await turn();
  res.write('data: own\n\n');
  for (const text of ['one', 'two']) {
    sse.sendToUser('ann', text);
    await turn();
    await turn();
  }
  expect(sse.stats().queueItemsMax).toBe(1);
  client.resume();
  expect((await client.received(3)).map(({ data }) => data)).toEqual(['own', '"one"', '"two"']);
  sse.close();
  await client.over;
  expect(socket.listenerCount('drain')).toBe(before);
});

it('writes behind what the response holds back, as Node 26 does until the next tick', async () => {
  const { sse, url, response } = await serveResponses();
  const client = await openStream(`${url}/ann`);
  const res = await response(0);
  const held: unknown[] = [];
  Object.defineProperty(res, 'writableCorked', { value: 1 });
  res.write = (chunk: unknown) => held.push(chunk) < 2;
  for (const text of ['one', 'two']) {
    sse.sendToUser('ann', text, { id: text, text: true });
    await turn();
    await turn();
  }
  expect(held).toEqual(['id: one\ndata: one\n\n', 'id: two\ndata: two\n\n']);
  expect(client.events).toEqual([]);
});

it('writes text of several bytes each as bytes to a response, whose drain Node 26 tells by characters', async () => {
  const { sse, url, response } = await serveResponses();
  await openStream(`${url}/ann`);
  const res = await response(0);
  const written: unknown[] = [];
  Object.defineProperty(res, 'writableCorked', { value: 1 });
  res.write = (chunk: unknown) => written.push(chunk) > 0;
  sse.sendToUser('ann', '€', { id: 'one', text: true });
  await turn();
  await turn();
  expect(written).toEqual([Buffer.from('id: one\ndata: €\n\n')]);
});

it('writes nothing behind the end that the application gives a response, whose client is still reading', async () => {
  const { sse, port, response } = await serveResponses();
  const gone = collect(sse, 'disconnect');
  const client = await connectRaw(port, { paused: true });
  client.get('/ann');
  const res = await response(0);
  const own = 'x'.repeat(8 * 1024 * 1024);
  res.end(own);
  expect(res.writableFinished).toBe(false);
  for (let n = 0; n < 3; n += 1) {
    sse.sendToUser('ann', 'too late', { text: true });
    await turn();
  }
  client.get('/bob');
  client.socket.resume();
  await client.until((text) => text.split('retry: ').length > 2);
  const after = client.text.slice(client.text.indexOf(own) + own.length);
  expect(after).toMatch(/^\r\n0\r\n\r\nHTTP\/1\.1 200 OK\r\n/);
  expect(gone).toMatchObject([{ userId: 'ann', reason: 'server' }]);
});

it('tells once of a client that resets the connection while it holds up a write, and throws nowhere', async () => {
  const { sse, port, handle } = await serveResponses();
  const gone = collect(sse, 'disconnect');
  const client = await connectRaw(port, { paused: true });
  client.get('/ann');
  await handle(0);
  for (let n = 0; n < 40; n += 1) {
    sse.sendToUser('ann', 'x'.repeat(1024 * 1024), { text: true });
    await turn();
  }
  expect(sse.stats().queueItemsMax).toBeGreaterThan(0);
  client.socket.resetAndDestroy();
  await expect.poll(() => sse.stats().connections).toBe(0);
  sse.sendToUser('ann', 'late');
  await wait(50);
  expect(gone).toMatchObject([{ userId: 'ann', reason: 'client' }]);
});

it('sends to a socket that was ended or destroyed under it without harm', async () => {
  const { sse, url, response } = await serveResponses();
  const gone = collect(sse, 'disconnect');
  for (const [index, end] of [
    (res: ServerResponse) => res.socket?.end(),
    (res: ServerResponse) => res.socket?.destroy(),
  ].entries()) {
    await openStream(`${url}/ann`);
    end(await response(index));
    sse.sendToUser('ann', 'into the void');
    await expect.poll(() => sse.stats().connections).toBe(0);
  }
  expect(gone).toHaveLength(2);
});

it('counts as activity for the idle timeout of the socket', async () => {
  const { sse, url, response } = await serveResponses({ keepAliveMs: 0 });
  const gone = collect(sse, 'disconnect');
  const client = await openStream(`${url}/ann`);
  const { socket } = await response(0);
  socket.setTimeout(1500);
  for (let n = 0; n < 8; n += 1) {
    await wait(250);
    expect(sse.sendToUser('ann', n)).toBe(1);
  }
  await client.received(8);
  expect(gone).toEqual([]);
  await client.over;
  await expect.poll(() => gone).toMatchObject([{ userId: 'ann' }]);
});

it('gives a client that was behind all that was accepted before the end', async () => {
  const { sse, url, handle } = await serveResponses();
  const client = await openStream(`${url}/ann`, { paused: true });
  const registered = await handle(0);
  for (let n = 0; n < 30; n += 1) {
    sse.sendToUser('ann', `${n} ${'x'.repeat(1024 * 1024)}`, { text: true });
    await turn();
  }
  registered.close();
  client.resume();
  await client.over;
  expect(client.ended).toBe(true);
  expect(client.events.map(({ data }) => Number.parseInt(data, 10))).toEqual(Array.from({ length: 30 }, (_, n) => n));
});
