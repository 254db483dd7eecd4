import { once } from 'node:events';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, it, vi } from 'vitest';
import { SSEKify } from '../../src/index.js';
import { atEnd } from '../helpers/cleanup.js';
import { openStream } from '../helpers/client.js';
import { collect } from '../helpers/emitted.js';
import { connectHttp2, openHttp2, serveHttp2Hub } from '../helpers/http2.js';
import { flushed, MadeUpResponse } from '../helpers/made-up-response.js';
import { connectRaw } from '../helpers/raw-client.js';
import { serveHub } from '../helpers/server.js';
import { STALL_HUB, stall } from '../helpers/stall.js';
import { stopwatch } from '../helpers/stopwatch.js';

it('announces, gives each client a time of its own to come back, and ends cleanly', async () => {
  const { sse, url } = await serveHub();
  const clients = await Promise.all(Array.from({ length: 20 }, (_, n) => openStream(`${url}/u${n}`)));
  const left = collect(sse, 'disconnect');
  const before = Date.now();
  await sse.shutdown({ graceMs: 400 });
  await Promise.all(clients.map(({ over }) => over));
  const comebacks = new Set<number | undefined>();
  for (const client of clients) {
    expect(client.ended).toBe(true);
    expect(client.events).toHaveLength(1);
    expect(client.events[0]).toMatchObject({ event: 'server:shutdown', id: undefined });
    const { code, at, ...others } = JSON.parse(client.events[0]?.data ?? '');
    expect(code).toBe('SHUTDOWN');
    expect(at).toBeGreaterThanOrEqual(before);
    expect(others).toEqual({});
    expect(client.retries).toHaveLength(2);
    comebacks.add(client.retries[1]);
  }
  expect(comebacks.size).toBeGreaterThan(15);
  expect(left).toHaveLength(20);
  for (const { reason } of left) expect(reason).toBe('shutdown');
  expect(sse.stats()).toMatchObject({ connections: 0, users: 0, draining: true });
});

it('ends connections evenly over the first half of its grace, and resolves when all have left', async () => {
  // By a clock of its own, so that a machine that is busy moves no end into another quarter.
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'setInterval', 'clearInterval', 'performance'] });
  atEnd(() => vi.useRealTimers());
  const sse = new SSEKify();
  for (let n = 0; n < 40; n += 1) sse.registerConnection(`u${n}`, new MadeUpResponse().asResponse());
  const endedAt: number[] = [];
  sse.on('disconnect', () => endedAt.push(performance.now()));
  const startedAt = performance.now();
  const over = sse.shutdown({ graceMs: 1000 });
  for (let n = 0; n < 60; n += 1) {
    await vi.advanceTimersByTimeAsync(10);
    await flushed();
  }
  // It needs none of the second half.
  await over;
  const quarters = [0, 0, 0, 0];
  for (const at of endedAt) {
    const quarter = Math.min(3, Math.floor((at - startedAt) / 125));
    quarters[quarter] = (quarters[quarter] ?? 0) + 1;
  }
  expect(endedAt).toHaveLength(40);
  for (const count of quarters) expect(count).toBeGreaterThanOrEqual(4);
  expect(Math.max(...quarters)).toBeLessThanOrEqual(20);
});

it('announces under another name, or not at all', async () => {
  for (const [options, events] of [
    [{ event: 'bye', graceMs: 20 }, ['bye']],
    [{ announce: false, graceMs: 20 }, []],
  ] as const) {
    const { sse, url } = await serveHub();
    const client = await openStream(`${url}/ann`);
    await sse.shutdown(options);
    await client.over;
    expect(client.events.map(({ event }) => event)).toEqual(events);
  }
});

it('cuts off clients that do not read, when its grace is over', async () => {
  const { sse, url } = await serveHub({ hub: STALL_HUB });
  const client = await openStream(`${url}/ann`, { paused: true });
  const healthy = await openStream(`${url}/bob`);
  const left = collect(sse, 'disconnect');
  await stall(sse, 'ann');
  const elapsed = stopwatch();
  const startedAt = performance.now();
  await sse.shutdown({ graceMs: 200 });
  expect(performance.now() - startedAt).toBeGreaterThanOrEqual(195);
  expect(elapsed()).toBeLessThan(1000);
  client.resume();
  await client.over;
  expect(client.ended).toBe(false);
  expect(healthy.ended).toBe(true);
  expect(left.map(({ userId, reason }) => `${userId} ${reason}`).sort()).toEqual(['ann shutdown', 'bob shutdown']);
});

it('is over at once before anybody connected, and a second time is the first', async () => {
  const sse = new SSEKify();
  const elapsed = stopwatch();
  const first = sse.shutdown();
  expect(sse.shutdown({ graceMs: 1 })).toBe(first);
  await first;
  expect(elapsed()).toBeLessThan(1000);
  await sse.shutdown();
});

it('refuses a wish it does not know, and goes on as before', async () => {
  const { sse, url } = await serveHub();
  await openStream(`${url}/ann`);
  const invalid = expect.objectContaining({ code: 'INVALID_OPTION' });
  // @ts-expect-error no such option
  await expect((async () => sse.shutdown({ grace: 1 }))()).rejects.toEqual(invalid);
  await expect((async () => sse.shutdown({ graceMs: -1 }))()).rejects.toEqual(invalid);
  await expect((async () => sse.shutdown({ event: 'a\nb' }))()).rejects.toMatchObject({ code: 'INVALID_EVENT' });
  expect(sse.stats()).toMatchObject({ connections: 1, draining: false });
});

it('takes nothing after the end, and throws nothing either', async () => {
  const { sse, url, handle } = await serveHub();
  const client = await openStream(`${url}/ann`);
  const connection = await handle(0);
  await sse.shutdown({ graceMs: 20 });
  await client.over;
  const errors = collect(sse, 'error');
  expect(sse.sendToUser('ann', 'late')).toBe(0);
  expect(sse.sendToAll('late')).toBe(0);
  expect(sse.sendToRoom('r', 'late')).toBe(0);
  expect(connection.send('late')).toBe(false);
  expect(sse.close()).toBe(0);
  sse.stopAccepting();
  await expect(sse.publish('late')).rejects.toMatchObject({ code: 'SHUTDOWN' });
  await expect(sse.publishToRoom('r', 'late')).rejects.toMatchObject({ code: 'SHUTDOWN' });
  await expect(sse.publishJoin('ann', 'r')).rejects.toMatchObject({ code: 'SHUTDOWN' });
  await expect(sse.ready()).rejects.toMatchObject({ code: 'SHUTDOWN' });
  expect(errors.map(({ code }) => code)).toEqual(['SHUTDOWN', 'SHUTDOWN', 'SHUTDOWN']);
  const late = await openStream(`${url}/ann`);
  await late.over;
  expect(late).toMatchObject({ status: 200, ended: true });
  expect(await handle(1)).toMatchObject({ refused: 'draining', closed: true });
});

it('serves those who are still there while it says farewell', async () => {
  const { sse, url } = await serveHub();
  const clients = await Promise.all([openStream(`${url}/ann`), openStream(`${url}/bob`)]);
  const over = sse.shutdown({ graceMs: 600 });
  const reached = sse.sendToAll('still', { event: 'still' });
  expect(reached).toBeGreaterThan(0);
  await over;
  await Promise.all(clients.map((client) => client.over));
  expect(clients.filter(({ events }) => events.some(({ event }) => event === 'still'))).toHaveLength(reached);
});

it('is one shutdown also for who asks for it again when hearing of the first client that leaves', async () => {
  const { sse, url } = await serveHub();
  const clients = await Promise.all(['ann', 'bob', 'cy'].map((userId) => openStream(`${url}/${userId}`)));
  const again: Promise<void>[] = [];
  let ready: Promise<void> | undefined;
  sse.on('disconnect', () => {
    again.push(sse.shutdown());
    ready ??= sse.ready();
  });
  const first = sse.shutdown({ graceMs: 400 });
  await first;
  await Promise.all(clients.map(({ over }) => over));
  expect(again).toHaveLength(3);
  for (const each of again) expect(each).toBe(first);
  await expect(ready).rejects.toMatchObject({ code: 'SHUTDOWN' });
  for (const { events } of clients) expect(events.map(({ event }) => event)).toEqual(['server:shutdown']);
});

it('leaves no connection by which clients come back, and which would keep the server from closing', async () => {
  const { sse, server, port } = await serveHub({ server: { keepAliveTimeout: 0 } });
  const streaming = await connectRaw(port, { allowHalfOpen: false });
  streaming.get('/ann');
  await streaming.until((text) => text.includes('retry: 2000'));
  sse.stopAccepting();
  const refused = await connectRaw(port, { allowHalfOpen: false });
  refused.get('/bob');
  await refused.closed;
  expect(refused.text).toContain('Connection: close');
  expect(refused.text).toMatch(/retry: \d+\n\n\r\n0\r\n\r\n$/);
  const closed = once(server, 'close');
  server.close();
  await sse.shutdown({ graceMs: 20 });
  await closed;
  await streaming.closed;
  expect(streaming.text).toMatch(/SHUTDOWN.*retry: \d+\n\n\r\n0\r\n\r\n$/s);
});

it('answers a request that a proxy sends by the connection of a stream as soon as that has ended', async () => {
  const { sse, server, port } = await serveHub({ server: { keepAliveTimeout: 0 } });
  const proxy = await connectRaw(port, { allowHalfOpen: false });
  proxy.get('/ann');
  await proxy.until((text) => text.includes('retry: 2000'));
  const closed = once(server, 'close');
  server.close();
  const shutdown = sse.shutdown({ graceMs: 20 });
  await proxy.until((text) => text.endsWith('\r\n0\r\n\r\n'));
  proxy.get('/bob');
  await proxy.closed;
  expect(proxy.text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2);
  expect(proxy.text).toMatch(/Connection: close.*retry: \d+\n\n\r\n0\r\n\r\n$/s);
  await shutdown;
  await closed;
});

it.each([
  ['came while the process was held up', 300, 0],
  ['has come in part', 0, 400],
])('answers a request by the connection of a stream that has ended, which %s', async (_how, heldUpMs, restAfterMs) => {
  const { sse, port } = await serveHub();
  const proxy = await connectRaw(port, { allowHalfOpen: false });
  proxy.get('/ann');
  await proxy.until((text) => text.includes('retry: 2000'));
  const shutdown = sse.shutdown({ graceMs: 20 });
  await proxy.until((text) => text.endsWith('\r\n0\r\n\r\n'));
  proxy.socket.write('GET /bob HTTP/1.1\r\nHost: local');
  if (restAfterMs > 0) await wait(restAfterMs);
  proxy.socket.write('host\r\n\r\n');
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, heldUpMs);
  await proxy.until((text) => text.match(/HTTP\/1\.1 200 OK/g)?.length === 2);
  await proxy.closed;
  await shutdown;
});

it('ends a stream that waits behind another on its connection before it leaves that', async () => {
  const { sse, server, port, handle } = await serveHub({ server: { keepAliveTimeout: 0 } });
  const client = await connectRaw(port, { allowHalfOpen: false });
  client.get('/ann');
  client.get('/bob');
  await handle(1);
  const closed = once(server, 'close');
  server.close();
  // The other is ended well behind the first one's.
  await sse.shutdown({ graceMs: 1500 });
  await closed;
  await client.closed;
  expect(client.text.match(/HTTP\/1\.1 200 OK/g)).toHaveLength(2);
  expect(client.text.match(/SHUTDOWN/g)).toHaveLength(2);
  expect(client.text).toMatch(/retry: \d+\n\n\r\n0\r\n\r\n$/);
});

it('leaves no HTTP/2 session by which clients come back, once its other streams are over', async () => {
  const { sse, server, url } = await serveHttp2Hub();
  const session = connectHttp2(url);
  const clients = [await openHttp2(url, '/ann', { session }), await openHttp2(url, '/bob', { session })];
  const closed = once(server, 'close');
  server.close();
  await sse.shutdown({ graceMs: 20 });
  await closed;
  for (const client of clients) {
    await client.over;
    expect(client.ended).toBe(true);
    expect(client.events).toHaveLength(1);
    expect(client.retries).toHaveLength(2);
  }
});

it('leaves no HTTP/2 session on which it refused the only client', async () => {
  const { sse, url, handle } = await serveHttp2Hub();
  sse.stopAccepting();
  const session = connectHttp2(url);
  const closed = once(session, 'close');
  const refused = await openHttp2(url, '/ann', { session });
  await closed;
  expect(refused.retries).toHaveLength(1);
  expect(await handle(0)).toMatchObject({ refused: 'draining' });
});

it('leaves no HTTP/2 session whose last stream its client left, or was cut off', async () => {
  const { sse, server, url } = await serveHttp2Hub({ hub: STALL_HUB });
  const leaving = await openHttp2(url, '/ann');
  await openHttp2(url, '/bob', { paused: true });
  await stall(sse, 'bob');
  sse.stopAccepting();
  const closed = once(server, 'close');
  server.close();
  leaving.stream.close();
  await once(leaving.session, 'close');
  await sse.shutdown({ graceMs: 20 });
  await closed;
});

it('leaves no timer that would hold what it has kept', async () => {
  vi.useFakeTimers();
  const sse = new SSEKify();
  sse.sendToUser('ann', 'kept for a while');
  expect(vi.getTimerCount()).toBe(1);
  await sse.shutdown({ graceMs: 0 });
  expect(vi.getTimerCount()).toBe(0);
});
