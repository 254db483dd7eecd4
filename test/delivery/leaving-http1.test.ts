import type { Socket } from 'node:net';
import { expect, it } from 'vitest';
import { collect, next } from '../helpers/emitted.js';
import { connectRaw, wireResponses } from '../helpers/raw-client.js';
import { serveHub } from '../helpers/server.js';

const NOBODY = { connections: 0, users: 0, rooms: 0 };
const MEGABYTE = 'x'.repeat(1024 * 1024);

/** A hub that a raw client is connected to, in a room, with one frame waiting. */
async function connected({ httpAllowHalfOpen = false, paused = false } = {}) {
  let socket: Socket | undefined;
  const hub = await serveHub({
    hub: { maxPayloadBytes: 0 },
    before: (req) => {
      socket = req.socket;
    },
  });
  Object.assign(hub.server, { httpAllowHalfOpen });
  const client = await connectRaw(hub.port);
  client.get('/ann?rooms=a,b');
  const handle = await hub.handle(0);
  await client.until((text) => text.includes('retry'));
  if (paused) {
    client.socket.pause();
    // More than the kernel's buffers take, so that the connection is stalled from the end of this tick.
    for (let n = 0; n < 16; n += 1) handle.send(MEGABYTE, { text: true });
    await new Promise((resolve) => setImmediate(resolve));
    handle.send('waits');
  }
  if (socket === undefined) throw new Error('no socket');
  return { ...hub, client, serverSocket: socket, connection: handle, all: collect(hub.sse, 'disconnect') };
}

it('is cleaned up the moment a FIN is read', async () => {
  const { sse, client, serverSocket, all } = await connected();
  const atTheEnd = new Promise((resolve) => serverSocket.on('end', () => resolve(sse.stats())));
  client.socket.end();
  expect(await atTheEnd).toMatchObject(NOBODY);
  await client.closed;
  expect(all).toMatchObject([{ userId: 'ann', reason: 'client' }]);
});

it('is cleaned up on a RST', async () => {
  const { sse, client, all, connection } = await connected();
  const left = next(sse, 'disconnect');
  client.socket.resetAndDestroy();
  expect(await left).toMatchObject({ userId: 'ann', connId: connection.connId, reason: 'client' });
  await client.closed;
  expect(sse.stats()).toMatchObject(NOBODY);
  expect(all).toHaveLength(1);
});

it('is cleaned up on a RST while frames wait', async () => {
  const { sse, client, all, connection } = await connected({ paused: true });
  const left = next(sse, 'disconnect');
  client.socket.resetAndDestroy();
  await left;
  expect(sse.stats()).toMatchObject(NOBODY);
  expect(connection.send('late')).toBe(false);
  expect(all).toHaveLength(1);
});

it.each([
  ['', { httpAllowHalfOpen: false }],
  [' on a server that allows half-open connections', { httpAllowHalfOpen: true }],
  [' by a client that does not read', { paused: true }],
  [' by a client that does not read, on a server that allows it', { paused: true, httpAllowHalfOpen: true }],
])('takes a half-close for leaving%s', async (_where, kind) => {
  const { sse, client, serverSocket, all } = await connected(kind);
  const left = next(sse, 'disconnect');
  const closed = new Promise((resolve) => serverSocket.on('close', resolve));
  client.socket.end();
  expect(await left).toMatchObject({ userId: 'ann', reason: 'client' });
  await closed;
  expect(sse.stats()).toMatchObject(NOBODY);
  expect(all).toHaveLength(1);
});

it('is cleaned up when the socket dies of an idle timeout', async () => {
  const { sse, serverSocket, all } = await connected();
  const left = next(sse, 'disconnect');
  serverSocket.setTimeout(5, () => serverSocket.destroy());
  await left;
  expect(sse.stats()).toMatchObject(NOBODY);
  expect(all).toHaveLength(1);
});

it('is cleaned up when the client breaks the protocol', async () => {
  const { sse, client } = await connected();
  const left = next(sse, 'disconnect');
  client.socket.write('\0\0 no request at all\r\n\r\n');
  await left;
  expect(sse.stats()).toMatchObject(NOBODY);
});

it('is cleaned up when the socket of a queued pipelined request dies', async () => {
  const { sse, port, handle } = await serveHub();
  const client = await connectRaw(port);
  client.get('/ann');
  client.get('/bob?rooms=b');
  await handle(1);
  expect(sse.stats()).toMatchObject({ connections: 2, rooms: 1 });
  const all = collect(sse, 'disconnect');
  const both = new Promise<void>((resolve) => sse.on('disconnect', () => all.length === 2 && resolve()));
  client.socket.resetAndDestroy();
  await both;
  expect(all.map(({ userId, reason }) => [userId, reason]).sort()).toEqual([
    ['ann', 'client'],
    ['bob', 'client'],
  ]);
  expect(sse.stats()).toMatchObject(NOBODY);
});

it('is cleaned up when the client of queued pipelined requests half-closes', async () => {
  const { sse, port, server, handle } = await serveHub();
  Object.assign(server, { httpAllowHalfOpen: true });
  const client = await connectRaw(port);
  for (const name of ['ann', 'bob', 'cy']) client.get(`/${name}`);
  await handle(2);
  const all = collect(sse, 'disconnect');
  const each = new Promise<void>((resolve) => sse.on('disconnect', () => all.length === 3 && resolve()));
  client.socket.end();
  await each;
  await client.closed;
  expect(sse.stats()).toMatchObject(NOBODY);
});

it('does not warn of leaking listeners when a client pipelines many requests', async () => {
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on('warning', note);
  const { sse, port, handle } = await serveHub();
  const client = await connectRaw(port);
  for (let n = 0; n < 30; n += 1) client.get(`/${n}`);
  await handle(29);
  expect(sse.stats().connections).toBe(30);
  sse.close();
  await client.until((text) => wireResponses(text).filter(({ complete }) => complete).length === 30);
  process.off('warning', note);
  expect(warnings).toEqual([]);
});
