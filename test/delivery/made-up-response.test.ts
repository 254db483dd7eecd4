import { EventEmitter } from 'node:events';
import { expect, it, vi } from 'vitest';
import { SSEKify } from '../../src/index.js';
import { atEnd } from '../helpers/cleanup.js';
import { collect } from '../helpers/emitted.js';
import { flushed, MadeUpResponse } from '../helpers/made-up-response.js';
import { endWithTest } from '../helpers/server.js';

function register(response = new MadeUpResponse()) {
  const sse = new SSEKify();
  endWithTest(sse);
  const left = collect(sse, 'disconnect');
  return { sse, left, response, handle: sse.registerConnection('ann', response.asResponse()) };
}

it('serves a response that has nothing but write, end and on', async () => {
  const { sse, response, handle, left } = register();
  expect(sse.sendToUser('ann', 'one', { id: '1' })).toBe(1);
  expect(handle.comment('two')).toBe(true);
  await flushed();
  expect(response.text).toBe('retry: 2000\n\nid: 1\ndata: "one"\n\n: two\n\n');
  handle.close();
  await flushed();
  expect(response.ends).toBe(1);
  expect(left).toMatchObject([{ reason: 'server' }]);
  expect(sse.stats()).toMatchObject({ connections: 0, users: 0 });
  await sse.shutdown();
});

it('hears that a made-up response closed', () => {
  const { sse, response, left, handle } = register();
  response.emit('close');
  response.emit('close');
  expect(left).toMatchObject([{ reason: 'client' }]);
  expect(handle.closed).toBe(true);
  expect(sse.stats().connections).toBe(0);
  expect(response.eventNames()).toEqual([]);
});

it('takes an error of the response for the end of its connection', () => {
  const { sse, response, left } = register();
  response.emit('error', new Error('broken'));
  expect(left).toMatchObject([{ reason: 'error' }]);
  expect(response.ends).toBe(1);
  expect(sse.stats().connections).toBe(0);
});

it('bounds what waits for a made-up response until it drains', async () => {
  const { sse, response } = register();
  response.takes = false;
  sse.sendToUser('ann', 'first');
  await flushed();
  for (let n = 0; n < 150; n += 1) sse.sendToUser('ann', n);
  await flushed();
  expect(response.writes).toHaveLength(2);
  expect(sse.stats()).toMatchObject({ droppedOldest: 50, queueItemsMax: 100 });
  response.takes = true;
  response.drain();
  await flushed();
  expect(response.text.match(/^data: /gm)).toHaveLength(1 + 1 + 100);
});

it('serves one that cannot tell when it drains, nor that it is over', async () => {
  const sse = new SSEKify();
  endWithTest(sse);
  const writes: string[] = [];
  const bare: object = {
    write: (text: string) => {
      writes.push(String(text));
      return false;
    },
    end: () => writes.push('END'),
  };
  // @ts-expect-error less than a response is
  const handle = sse.registerConnection('ann', bare);
  handle.send(1);
  await flushed();
  handle.send(2);
  handle.close();
  await flushed();
  expect(writes).toEqual(['retry: 2000\n\n', 'data: 1\n\n', 'data: 2\n\n', 'END']);
  await sse.shutdown();
});

it('waits for no close of one that knows that it has ended, and cannot be destroyed', async () => {
  const { sse, response, left, handle } = register();
  // As those of node-mocks-http.
  Object.assign(response, { writableEnded: false });
  response.end = () => Object.assign(response, { writableEnded: true });
  handle.send('bye');
  await sse.shutdown({ announce: false, graceMs: 60_000 });
  expect(response.text).toContain('data: "bye"\n\n');
  expect(left).toMatchObject([{ reason: 'shutdown' }]);
});

it('parts with a response whose write throws, and serves the others', async () => {
  const { sse, response, left } = register();
  const other = new MadeUpResponse();
  sse.registerConnection('bob', other.asResponse());
  response.write = () => {
    throw new Error('already closed');
  };
  expect(sse.sendToAll('hello', { id: '1' })).toBe(2);
  await flushed();
  expect(left).toMatchObject([{ userId: 'ann', reason: 'error' }]);
  expect(other.text).toContain('id: 1\ndata: "hello"');
  expect(sse.stats().connections).toBe(1);
});

it('parts with a response of which nothing works any more, and serves the others', async () => {
  const { sse, response, left } = register();
  const other = new MadeUpResponse();
  sse.registerConnection('bob', other.asResponse());
  const fail = () => {
    throw new Error('already closed');
  };
  Object.assign(response, { write: fail, end: fail, destroy: fail });
  expect(sse.sendToAll('hello', { id: '1' })).toBe(2);
  await flushed();
  expect(left).toMatchObject([{ userId: 'ann', reason: 'error' }]);
  expect(other.text).toContain('id: 1\ndata: "hello"');
});

it('cuts off at the end of the grace those that are left when one of them throws', async () => {
  const { sse, response } = register();
  const other = new MadeUpResponse();
  sse.registerConnection('bob', other.asResponse());
  response.takes = false;
  other.takes = false;
  const destroy = vi.fn(() => {
    throw new Error('already closed');
  });
  Object.assign(response, { destroy });
  Object.assign(other, { destroy });
  sse.sendToAll('never taken');
  await flushed();
  await sse.shutdown({ graceMs: 20 });
  expect(destroy).toHaveBeenCalledTimes(2);
});

it('parts with a response whose end throws', async () => {
  const { sse, response, left, handle } = register();
  response.end = () => {
    throw new Error('already closed');
  };
  handle.close();
  await flushed();
  expect(left).toHaveLength(1);
  expect(sse.stats().connections).toBe(0);
  // It waits for nobody.
  await sse.shutdown({ graceMs: 60_000 });
});

it('refuses a response that fails at its first write, and keeps nothing of it', async () => {
  vi.useFakeTimers();
  const response = new MadeUpResponse();
  response.write = () => {
    throw new Error('already closed');
  };
  const { sse, left, handle } = register(response);
  expect(handle).toMatchObject({ closed: true, refused: 'gone', connId: '' });
  expect(left).toEqual([]);
  expect(sse.stats()).toMatchObject({ connections: 0, users: 0, refused: { gone: 1 }, sinks: { response: 0 } });
  expect(vi.getTimerCount()).toBe(0);
});

/** A response around whose first write something is wrapped. */
function withFirstWrite(run: () => void): MadeUpResponse {
  const response = new MadeUpResponse();
  const { write } = response;
  response.write = (...chunk) => {
    response.write = write;
    run();
    return response.write(...chunk);
  };
  return response;
}

it('tells that a client came before it tells that it left, also when its signal aborts at the first write', () => {
  const sse = new SSEKify();
  endWithTest(sse);
  const told: string[] = [];
  for (const event of ['connect', 'disconnect'] as const) sse.on(event, () => told.push(event));
  const over = new AbortController();
  const response = withFirstWrite(() => over.abort());
  const handle = sse.registerConnection('ann', response.asResponse(), { signal: over.signal, rooms: ['r'] });
  expect(handle.closed).toBe(true);
  expect(told).toEqual(['connect', 'disconnect']);
  expect(sse.stats()).toMatchObject({ connections: 0, rooms: 0 });
});

it('keeps no timer for a response that is over while it is written to, or when it is told that it ends', async () => {
  const { response, handle } = register();
  response.write = () => {
    response.emit('close');
    return false;
  };
  const other = register();
  other.sse.on('disconnect', () => other.response.emit('close'));
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  handle.send('a');
  other.handle.close();
  await flushed();
  expect(vi.getTimerCount()).toBe(0);
  expect([handle.closed, other.handle.closed]).toEqual([true, true]);
});

it('parts with a response whose close it never heard of, since a listener of the application threw', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  const { sse, left, response } = register();
  const error = new Error('of the application');
  response.prependListener('close', () => {
    throw error;
  });
  Object.assign(response, { destroyed: true, closed: true });
  expect(() => response.emit('close')).toThrow(error);
  sse.sendToUser('ann', 'lost');
  await flushed();
  vi.advanceTimersByTime(400_000);
  // It is looked at once more when the loop has turned.
  await flushed();
  expect(left).toMatchObject([{ reason: 'stalled' }]);
  expect(sse.stats()).toMatchObject({ connections: 0, disconnectedByStall: 1 });
});

it('takes nobody in whose first write shuts the hub down', async () => {
  const sse = new SSEKify();
  const connects = collect(sse, 'connect');
  let over: Promise<void> | undefined;
  const response = withFirstWrite(() => {
    over = sse.shutdown();
  });
  expect(sse.registerConnection('ann', response.asResponse())).toMatchObject({ closed: true, refused: 'draining' });
  await over;
  await flushed();
  expect(response.ends).toBe(1);
  expect(connects).toEqual([]);
  expect(sse.stats()).toMatchObject({ connections: 0, refused: { draining: 1 } });
});

it.each([undefined, null, 7, {}, { write() {} }, { end() {} }])('refuses %o as a response', (value) => {
  const sse = new SSEKify();
  endWithTest(sse);
  // @ts-expect-error no response at all
  expect(() => sse.registerConnection('ann', value)).toThrow(expect.objectContaining({ code: 'INVALID_RESPONSE' }));
});

it('leaves the connection under a made-up response alone that carries others too, also while nobody is let in any more', async () => {
  const sse = new SSEKify();
  endWithTest(sse);
  let cut = 0;
  const socket = Object.assign(new EventEmitter(), { destroySoon: () => (cut += 1) });
  const responses = [new MadeUpResponse(), new MadeUpResponse()];
  for (const response of responses) {
    Object.defineProperty(response, 'shouldKeepAlive', { get: () => true });
    sse.registerConnection('ann', Object.assign(response, { req: { socket } }).asResponse());
    sse.stopAccepting();
  }
  await sse.shutdown({ graceMs: 0 });
  vi.useFakeTimers({ toFake: ['setTimeout'] });
  atEnd(() => vi.useRealTimers());
  for (const response of responses) response.emit('finish');
  await vi.advanceTimersByTimeAsync(1000);
  await flushed();
  expect(responses.map(({ ends }) => ends)).toEqual([1, 1]);
  expect(cut).toBe(0);
});
