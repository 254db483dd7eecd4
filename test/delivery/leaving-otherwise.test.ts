import { once } from 'node:events';
import type { ServerResponse } from 'node:http';
import { expect, it } from 'vitest';
import { type RegisteredConnectionHandle, SSEKify } from '../../src/index.js';
import { openStream } from '../helpers/client.js';
import { collect, next } from '../helpers/emitted.js';
import { connectRaw } from '../helpers/raw-client.js';
import { endWithTest, serve, serveHub } from '../helpers/server.js';

const NOBODY = { connections: 0, users: 0, rooms: 0 };
const INERT = { connId: '', userId: 'ann', rooms: [], closed: true };

it('ends when its signal aborts, after the frames it accepted', async () => {
  const abort = new AbortController();
  const { url, sse, handle } = await serveHub({ register: { signal: abort.signal } });
  const client = await openStream(`${url}/ann`);
  const all = collect(sse, 'disconnect');
  (await handle(0)).send('last');
  abort.abort();
  abort.abort();
  await client.over;
  expect(client.ended).toBe(true);
  expect(client.events.map(({ data }) => data)).toEqual(['"last"']);
  expect(all).toMatchObject([{ reason: 'aborted' }]);
  expect(sse.stats()).toMatchObject(NOBODY);
});

it('lets go of a signal that outlives its connections, and many share one without a warning', async () => {
  const abort = new AbortController();
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on('warning', note);
  let listening = 0;
  const { signal } = abort;
  const add = signal.addEventListener.bind(signal);
  const remove = signal.removeEventListener.bind(signal);
  signal.addEventListener = (...args: Parameters<typeof add>) => {
    listening += 1;
    add(...args);
  };
  signal.removeEventListener = (...args: Parameters<typeof remove>) => {
    listening -= 1;
    remove(...args);
  };
  const { url, sse } = await serveHub({ register: { signal } });
  const clients = await Promise.all(Array.from({ length: 20 }, () => openStream(`${url}/ann`)));
  expect(listening).toBe(1);
  sse.close();
  await Promise.all(clients.map(({ over }) => over));
  expect(listening).toBe(0);
  process.off('warning', note);
  expect(warnings).toEqual([]);
});

it('refuses with a signal that has aborted already', async () => {
  const { url, sse, handle } = await serveHub({ register: { signal: AbortSignal.abort(), headers: { 'X-A': 'b' } } });
  const client = await openStream(`${url}/ann`);
  await client.over;
  expect(client).toMatchObject({ status: 200, ended: true });
  // A client that is still there may come back, as from any stream.
  expect(client.headers).toMatchObject({ 'content-type': 'text/event-stream; charset=utf-8', 'x-a': 'b' });
  expect(await handle(0)).toMatchObject({ ...INERT, refused: 'gone' });
  expect(sse.stats()).toMatchObject({ ...NOBODY, refused: { gone: 1 } });
});

it('ends with a response that the application ended', async () => {
  const responses: ServerResponse[] = [];
  const { url, sse } = await serveHub({ before: (_req, res) => responses.push(res) });
  const client = await openStream(`${url}/ann`);
  const all = collect(sse, 'disconnect');
  responses[0]?.end();
  await client.over;
  expect(client.ended).toBe(true);
  expect(all).toMatchObject([{ reason: 'server' }]);
  expect(sse.stats()).toMatchObject(NOBODY);
});

it('survives an application that writes to a response after ending it', async () => {
  const responses: ServerResponse[] = [];
  const { url, sse } = await serveHub({ before: (_req, res) => responses.push(res) });
  const client = await openStream(`${url}/ann`);
  const left = next(sse, 'disconnect');
  responses[0]?.end();
  responses[0]?.write('too late');
  expect(sse.sendToUser('ann', 'nobody is there')).toBe(1);
  await left;
  await client.over;
  expect(sse.stats()).toMatchObject(NOBODY);
});

/** A server that keeps its first response, and registers it when the test says so. */
async function serveLate() {
  const sse = new SSEKify();
  endWithTest(sse);
  let arrive: (res: ServerResponse) => void = () => undefined;
  const response = new Promise<ServerResponse>((resolve) => {
    arrive = resolve;
  });
  const served = await serve((_req, res) => arrive(res));
  const register = async (): Promise<RegisteredConnectionHandle> =>
    sse.registerConnection('ann', await response, { rooms: ['a'] });
  return { sse, ...served, response, register };
}

it.each([
  ['has reset its connection', (socket: import('node:net').Socket) => socket.resetAndDestroy()],
  ['has left', (socket: import('node:net').Socket) => socket.destroy()],
])('refuses a client that %s before it was registered', async (_how, leave) => {
  const { sse, port, response, register } = await serveLate();
  const client = await connectRaw(port);
  client.get('/');
  const res = await response;
  const closed = once(res, 'close');
  leave(client.socket);
  await closed;
  expect(await register()).toMatchObject({ ...INERT, refused: 'gone' });
  expect(sse.stats()).toMatchObject({ ...NOBODY, refused: { gone: 1 } });
});

it('refuses a client that has half-closed before it was registered', async () => {
  const { sse, port, response, register, server } = await serveLate();
  Object.assign(server, { httpAllowHalfOpen: true });
  const client = await connectRaw(port);
  client.get('/');
  const res = await response;
  const ended = once(res.req.socket, 'end');
  client.socket.end();
  await ended;
  expect(await register()).toMatchObject({ ...INERT, refused: 'gone' });
  expect(sse.stats()).toMatchObject(NOBODY);
});

it.each([
  ['ended', (res: ServerResponse) => res.end()],
  ['destroyed', (res: ServerResponse) => res.destroy()],
  ['left with a socket that was ended', (res: ServerResponse) => res.socket?.end()],
  ['left with a socket that was destroyed', (res: ServerResponse) => res.socket?.destroy()],
])('refuses a response that was %s', async (_how, spoil) => {
  const { sse, port, response, register } = await serveLate();
  const client = await connectRaw(port);
  client.get('/');
  spoil(await response);
  const handle = await register();
  expect(handle).toMatchObject({ ...INERT, refused: 'gone' });
  expect(handle.send('x')).toBe(false);
  expect(handle.comment('x')).toBe(false);
  expect(handle.join('a')).toBe(false);
  expect(handle.leave('a')).toBe(false);
  handle.close();
  expect(sse.stats()).toMatchObject(NOBODY);
});

it('refuses to register a response twice, even at another hub, and the first connection lives on', async () => {
  const other = new SSEKify();
  endWithTest(other);
  const { sse, response, register, url } = await serveLate();
  const opening = openStream(url);
  const first = await register();
  expect(await register()).toMatchObject({ ...INERT, refused: 'duplicate' });
  expect(other.registerConnection('ann', await response)).toMatchObject({ ...INERT, refused: 'duplicate' });
  const client = await opening;
  expect(sse.stats()).toMatchObject({ connections: 1, refused: { duplicate: 1 } });
  expect(other.stats()).toMatchObject({ ...NOBODY, refused: { duplicate: 1 } });
  first.send('still here');
  expect(await client.received(1)).toHaveLength(1);
  expect(client.retries).toEqual([2000]);
});

it('answers HEAD with the head alone', async () => {
  const { url, sse, handle } = await serveHub({ register: { headers: { 'X-Mine': 'yes' } } });
  const client = await openStream(`${url}/ann`, { method: 'HEAD' });
  client.resume();
  await client.over;
  expect(client.status).toBe(200);
  expect(client.headers['content-type']).toBe('text/event-stream; charset=utf-8');
  expect(client.headers['x-mine']).toBe('yes');
  expect(client.raw).toBe('');
  expect(await handle(0)).toMatchObject({ ...INERT, refused: 'head' });
  expect(sse.stats()).toMatchObject({ ...NOBODY, refused: { head: 1 } });
});
