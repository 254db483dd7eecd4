import { getEventListeners } from 'node:events';
import { expect, it } from 'vitest';
import { collect, next } from '../helpers/emitted.js';
import { turn } from '../helpers/stall.js';
import { createHub, pieces, read, requestFor } from './responses.js';

const NOBODY = { connections: 0, users: 0, rooms: 0 };

it.each([
  ['the request’s signal aborts', ['signal']],
  ['the body is cancelled', ['cancel']],
  ['the signal aborts and the body is cancelled', ['signal', 'cancel']],
  ['the body is cancelled and the signal aborts', ['cancel', 'signal']],
])('cleans up once when %s', async (_how, ways) => {
  const sse = createHub();
  const disconnects = collect(sse, 'disconnect');
  const abort = new AbortController();
  const request = requestFor('/sse', { signal: abort.signal });
  const { reader } = pieces(sse.respond(request, 'ann', { rooms: ['a'] }));
  sse.sendToUser('ann', 'x');
  for (const way of ways) {
    if (way === 'signal') abort.abort();
    else await reader.cancel('left');
    expect(sse.stats()).toMatchObject(NOBODY);
  }
  await turn();
  expect(disconnects).toMatchObject([{ userId: 'ann', reason: 'client' }]);
  expect(getEventListeners(request.signal, 'abort')).toEqual([]);
  expect(sse.sendToAll('nobody')).toBe(0);
});

it('ends the body of a client that has left, so that a server which still reads is done', async () => {
  const sse = createHub();
  const abort = new AbortController();
  const stream = pieces(sse.respond(requestFor('/sse', { signal: abort.signal }), 'ann'));
  await stream.next();
  const waiting = stream.next();
  abort.abort();
  expect(await waiting).toBeUndefined();
});

it('registers nothing for a request that was aborted before', async () => {
  const sse = createHub();
  const connects = collect(sse, 'connect');
  const refused: unknown[] = [];
  const request = requestFor('/sse', { signal: AbortSignal.abort() });
  const connected = (handle: { refused: unknown }) => refused.push(handle.refused);
  const response = sse.respond(request, 'ann', { connected });
  expect(response.body).toBeNull();
  expect(refused).toEqual(['gone']);
  expect(connects).toEqual([]);
  expect(getEventListeners(request.signal, 'abort')).toEqual([]);
  expect(sse.stats()).toMatchObject({ ...NOBODY, refused: { gone: 1 }, sinks: { web: 0 } });
});

it('ends with the signal of the options, and keeps no listener on any signal of one that ended otherwise', async () => {
  const sse = createHub();
  const disconnects = collect(sse, 'disconnect');
  const abort = new AbortController();
  const requests = [requestFor(), requestFor()];
  const streams = requests.map((request) => pieces(sse.respond(request, 'ann', { signal: abort.signal })));
  sse.sendToUser('ann', 'last words');
  await streams[1]?.reader.cancel();
  abort.abort();
  expect(await streams[0]?.rest()).toContain('last words');
  expect(disconnects.map(({ reason }) => reason)).toEqual(['client', 'aborted']);
  for (const { signal } of [...requests, abort]) expect(getEventListeners(signal, 'abort')).toEqual([]);
  const late = sse.respond(requestFor(), 'ann', { signal: abort.signal });
  expect(late.status).toBe(200);
  expect(await late.text()).toBe('');
  expect(sse.stats()).toMatchObject({ ...NOBODY, refused: { gone: 1 } });
});

it('lets accepted events leave before a close ends the body, and takes none after', async () => {
  const sse = createHub();
  const stream = pieces(sse.respond(requestFor(), 'ann'));
  sse.sendToUser('ann', 1);
  expect(sse.close('ann')).toBe(1);
  expect(sse.sendToUser('ann', 2)).toBe(0);
  const text = await stream.rest();
  expect(text).toMatch(/data: 1\n\n$/);
  await stream.reader.cancel();
  expect(sse.stats()).toMatchObject(NOBODY);
});

it('ends by its lifetime', async () => {
  const sse = createHub();
  const left = next(sse, 'disconnect');
  const client = read(sse.respond(requestFor(), 'ann', { maxLifetimeMs: 100 }));
  expect(await left).toMatchObject({ reason: 'lifetime' });
  await client.over;
  expect(client.ended).toBe(true);
});

it('sends heartbeats as comments, or as the event that was asked for', async () => {
  const sse = createHub({ keepAliveMs: 20 });
  const plain = read(sse.respond(requestFor(), 'ann'));
  const named = read(sse.respond(requestFor(), 'bob', { keepAliveEvent: { event: 'beat', data: { n: 1 } } }));
  await plain.until(({ comments }) => comments.length >= 2);
  expect(plain.comments).toContain('ping');
  expect(plain.events).toEqual([]);
  expect(await named.event('beat')).toMatchObject({ data: expect.stringContaining('"n":1') });
  expect(named.comments).toEqual([]);
});

it('says farewell at a shutdown, and ends', async () => {
  const sse = createHub();
  const client = read(sse.respond(requestFor(), 'ann'));
  await sse.shutdown({ graceMs: 2000 });
  await client.over;
  expect(client.events.map(({ event }) => event)).toEqual(['server:shutdown']);
  expect(client.retries).toHaveLength(2);
  expect(client.ended).toBe(true);
  expect(await sse.respond(requestFor(), 'ann').text()).toMatch(/^retry: /);
});
