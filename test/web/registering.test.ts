import { expect, it } from 'vitest';
import type { RegisteredConnectionHandle } from '../../src/index.js';
import { collect, next } from '../helpers/emitted.js';
import { createHub, pieces, read, requestFor } from './responses.js';

it('gives the handle before it returns, with which one may send, join and close', async () => {
  const sse = createHub();
  const connects = collect(sse, 'connect');
  const handles: RegisteredConnectionHandle[] = [];
  const response = sse.respond(requestFor(), 42, {
    rooms: ['a'],
    connected(handle) {
      handles.push(handle);
      handle.send('welcome');
      handle.join('b');
    },
  });
  const [handle] = handles;
  expect(handle).toMatchObject({ userId: '42', closed: false, refused: undefined, rooms: ['a', 'b'] });
  expect(connects).toMatchObject([{ userId: '42', connId: handle?.connId, handle }]);
  expect(sse.sendToRoom('b', 'to the room')).toBe(1);
  handle?.comment('bye');
  handle?.close();
  expect(await pieces(response).rest()).toMatch(
    /^retry: 2000\n\ndata: "welcome"\n\nid: .+\ndata: "to the room"\n\n: bye\n\n$/,
  );
  expect(handle?.closed).toBe(true);
});

it('throws what `connected` throws, and keeps no connection', async () => {
  const sse = createHub();
  const left = next(sse, 'disconnect');
  const boom = new Error('boom');
  const { signal } = new AbortController();
  const call = () =>
    sse.respond(requestFor('/sse', { signal }), 'ann', {
      rooms: ['a'],
      connected() {
        throw boom;
      },
    });
  expect(call).toThrow(boom);
  expect(await left).toMatchObject({ userId: 'ann', reason: 'error' });
  expect(sse.stats()).toMatchObject({ connections: 0, users: 0, rooms: 0 });
});

it.each<[string, unknown, string]>([
  ['no callback', { connected: 'later' }, 'INVALID_OPTION'],
  ['null for a callback', { connected: null }, 'INVALID_OPTION'],
  ['an option that is none', { conected: () => undefined }, 'INVALID_OPTION'],
  ['null', null, 'INVALID_OPTION'],
  ['text', 'rooms', 'INVALID_OPTION'],
  ['an array', [], 'INVALID_OPTION'],
  ['a function', () => undefined, 'INVALID_OPTION'],
  ['a signal that is none', { signal: {} }, 'INVALID_OPTION'],
  ['a negative time', { stallTimeoutMs: -1 }, 'INVALID_OPTION'],
  ['a room without a name', { rooms: [''] }, 'INVALID_ROOM'],
  ['a position that is no text', { lastEventId: 7n }, 'INVALID_OPTION'],
  ['a heartbeat that is no JSON', { keepAliveEvent: { event: 'beat', data: 1n } }, 'NOT_SERIALIZABLE'],
])('refuses options that are %s, before anything is registered', (_what, options, code) => {
  const sse = createHub();
  const connects = collect(sse, 'connect');
  expect(() => Reflect.apply(sse.respond, sse, [requestFor(), 'ann', options])).toThrow(
    expect.objectContaining({ code }),
  );
  expect(sse.stats()).toMatchObject({ connections: 0, sinks: { web: 0 } });
  expect(connects).toEqual([]);
});

it.each<[string, unknown]>([
  ['nothing', undefined],
  ['text', 'http://localhost/sse'],
  ['a response', new Response('')],
  ['the request of Node', { url: '/sse', headers: { host: 'localhost' }, method: 'GET' }],
  ['a context of Hono', { req: { raw: requestFor() } }],
])('refuses %s for a request', (_what, request) => {
  const sse = createHub();
  expect(() => Reflect.apply(sse.respond, sse, [request, 'ann'])).toThrow(
    expect.objectContaining({ code: 'INVALID_RESPONSE' }),
  );
  expect(() => Reflect.apply(sse.respond, sse, [requestFor(), ''])).toThrow(
    expect.objectContaining({ code: 'INVALID_USER_ID' }),
  );
  expect(sse.stats().connections).toBe(0);
});

it('knows no option `connected` where the handle is returned', () => {
  const sse = createHub();
  const call = () => Reflect.apply(sse.registerConnection, sse, ['ann', {}, { connected: () => undefined }]);
  expect(call).toThrow(expect.objectContaining({ code: 'INVALID_RESPONSE' }));
});

it('takes the shape of a request, whatever its class: of another realm, a proxy, one made by hand', async () => {
  const sse = createHub();
  const real = requestFor('/sse?lastEventId=x');
  const proxied = new Proxy(real, {
    get(target, name) {
      const value: unknown = Reflect.get(target, name);
      return typeof value === 'function' ? value.bind(target) : value;
    },
  });
  const byHand = { method: 'GET', url: '/sse?lastEventId=x', headers: { get: () => null } };
  for (const request of [proxied, Object.create(null, Object.getOwnPropertyDescriptors(byHand))]) {
    const positions: (string | undefined)[] = [];
    const options = { connected: ({ lastEventId }: RegisteredConnectionHandle) => positions.push(lastEventId) };
    const response: Response = Reflect.apply(sse.respond, sse, [request, 'ann', options]);
    expect(await pieces(response).next()).toContain('retry');
    expect(positions).toEqual(['x']);
  }
  expect(sse.getUserConnectionCount('ann')).toBe(2);
});

it('makes two streams of one request, and of one request for two hubs', async () => {
  const [one, other] = [createHub(), createHub()];
  const abort = new AbortController();
  const request = requestFor('/sse', { signal: abort.signal });
  const streams = [one.respond(request, 'ann'), one.respond(request, 'ann'), other.respond(request, 'ann')].map(read);
  expect(one.sendToUser('ann', 1)).toBe(2);
  expect(other.sendToUser('ann', 1)).toBe(1);
  await Promise.all(streams.map((each) => each.received(1)));
  abort.abort();
  await Promise.all(streams.map((each) => each.over));
  expect([one.stats().connections, other.stats().connections]).toEqual([0, 0]);
});

it('sends a client over maxConnections, or while draining, away with a time to come back', async () => {
  const sse = createHub({ maxConnections: 1, retryMs: 1500 });
  const kept = read(sse.respond(requestFor(), 'ann'));
  const refusals: unknown[] = [];
  const ask = () =>
    sse.respond(requestFor(), 'bob', {
      rooms: ['a'],
      connected(handle) {
        refusals.push(handle.refused);
        expect(handle).toMatchObject({ connId: '', closed: true, rooms: [], userId: 'bob' });
        expect([handle.send('x'), handle.join('a'), handle.comment('x')]).toEqual([false, false, false]);
        handle.close();
      },
    });
  const over = ask();
  expect(over.status).toBe(200);
  expect(over.headers.get('content-type')).toBe('text/event-stream; charset=utf-8');
  const retry = Number(/^retry: (\d+)\n\n$/.exec(await over.text())?.[1]);
  expect(retry).toBeGreaterThanOrEqual(1500);
  sse.stopAccepting();
  const late = ask();
  // The request may be one of HTTP/2, where there is no such header.
  expect(late.headers.has('connection')).toBe(false);
  expect(await late.text()).toMatch(/^retry: \d+\n\n$/);
  expect(refusals).toEqual(['limit', 'draining']);
  expect(sse.stats()).toMatchObject({
    connections: 1,
    rooms: 0,
    refused: { limit: 1, draining: 1 },
    sinks: { web: 1 },
  });
  sse.sendToAll('still');
  await kept.received(1);
});

it('answers 429 over maxConnectionsPerUser, and the user may come again when one has left', async () => {
  const sse = createHub({ maxConnectionsPerUser: 1 });
  const first = pieces(sse.respond(requestFor(), 'ann'));
  const second = sse.respond(requestFor(), 'ann', { headers: { 'X-Own': 'yes' } });
  expect(second.status).toBe(429);
  expect(second.headers.get('content-type')).toBe('text/plain; charset=utf-8');
  expect(second.headers.get('x-own')).toBe('yes');
  expect(Number(second.headers.get('retry-after'))).toBeGreaterThan(0);
  expect(await second.text()).toContain('Too many');
  await first.reader.cancel();
  expect(sse.respond(requestFor(), 'ann').status).toBe(200);
  expect(sse.stats()).toMatchObject({ connections: 1, refused: { 'user-limit': 1 } });
});
