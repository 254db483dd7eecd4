import { expect, it } from 'vitest';
import { collect } from '../helpers/emitted.js';
import { createHub, pieces, requestFor } from './responses.js';

const HEAD = {
  'content-type': 'text/event-stream; charset=utf-8',
  'cache-control': 'no-cache, no-transform',
  'x-accel-buffering': 'no',
};

it('gives a response with the head of an event stream, and begins with the reconnection time', async () => {
  const sse = createHub({ retryMs: 1234 });
  const response = sse.respond(requestFor(), 'ann');
  expect(response).toBeInstanceOf(Response);
  expect(response.status).toBe(200);
  expect(Object.fromEntries(response.headers)).toEqual(HEAD);
  expect(await pieces(response).next()).toBe('retry: 1234\n\n');
});

it('adds headers, replaces and removes its own whatever their case, and lets the call win over the hub', () => {
  const sse = createHub({ connection: { headers: { 'X-Hub': 'hub', 'X-Both': 'hub', 'x-gone': 'hub' } } });
  const { headers } = sse.respond(requestFor(), 'ann', {
    headers: {
      'CACHE-CONTROL': 'no-store',
      'x-accel-buffering': undefined,
      'x-both': 'own',
      'X-Gone': undefined,
      'X-Number': 7,
      'X-List': ['a', 'b'],
      'X-Latin': 'é',
      'Set-Cookie': ['a=1', 'b=2; Path=/'],
    },
  });
  expect(headers.getSetCookie()).toEqual(['a=1', 'b=2; Path=/']);
  headers.delete('set-cookie');
  expect(Object.fromEntries(headers)).toEqual({
    'content-type': HEAD['content-type'],
    'cache-control': 'no-store',
    'x-hub': 'hub',
    'x-both': 'own',
    'x-number': '7',
    'x-list': 'a, b',
    'x-latin': 'é',
  });
});

it('leaves the framing to the server', () => {
  const sse = createHub();
  const headers = { 'Content-Length': 3, 'TRANSFER-ENCODING': 'identity', connection: 'close' };
  expect(Object.fromEntries(sse.respond(requestFor(), 'ann', { headers }).headers)).toEqual(HEAD);
});

it.each([
  ['a name with a space', { 'a b': 'x' }],
  ['an empty name', { '': 'x' }],
  ['a value with a line break', { 'X-A': 'a\r\nX-B: b' }],
  ['a value beyond latin1', { 'X-A': '日本' }],
  ['one such value of several', { 'X-A': ['a', 'b\0'] }],
])('refuses %s before anything is registered', (_what, headers) => {
  const sse = createHub();
  const connects = collect(sse, 'connect');
  expect(() => sse.respond(requestFor(), 'ann', { headers })).toThrow(
    expect.objectContaining({ code: 'INVALID_HEADER' }),
  );
  expect(sse.stats()).toMatchObject({ connections: 0, users: 0, sinks: { web: 0 } });
  expect(connects).toEqual([]);
});

it('answers HEAD with the head alone', async () => {
  const sse = createHub();
  const refused: unknown[] = [];
  const response = sse.respond(requestFor('/sse', { method: 'HEAD' }), 'ann', {
    headers: { 'X-Own': 'yes' },
    connected: (handle) => refused.push(handle.refused),
  });
  expect(response.status).toBe(200);
  expect(Object.fromEntries(response.headers)).toEqual({ ...HEAD, 'x-own': 'yes' });
  expect(response.body).toBeNull();
  expect(refused).toEqual(['head']);
  expect(sse.stats()).toMatchObject({ connections: 0, refused: { head: 1 }, sinks: { web: 0 } });
});

it('takes a request of any other method, one with a body for example', async () => {
  const sse = createHub();
  const request = requestFor('/sse', { method: 'POST', body: '{"prompt":"hello"}' });
  const stream = pieces(sse.respond(request, 'ann'));
  expect(await request.json()).toEqual({ prompt: 'hello' });
  expect(await stream.next()).toContain('retry');
  expect(sse.isUserOnline('ann')).toBe(true);
});
