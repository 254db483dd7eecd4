import { expect, it } from 'vitest';
import { openStream } from '../helpers/client.js';
import { commandCalls, dataOf, gapsOf, logHub, range, told, untilTold } from '../helpers/log.js';
import { startProxy } from '../helpers/proxy.js';
import { startRedis } from '../helpers/redis.js';
import { stopwatch } from '../helpers/stopwatch.js';

const malformed = [
  'x',
  '1',
  '-',
  '1-',
  '-1',
  '1-1-1',
  '0x1-1',
  '1e3-1',
  '99999999999999999-1',
  '9999999999999999-9999999999999999',
  '１-１',
  '1700000000000-0+abc.1',
  '*',
  '$',
  '(1-1',
  '+inf-0',
  "'; FLUSHALL",
  '/'.repeat(2000),
];

it('tells a client whose position is none of a gap, once, and asks Redis nothing for it', async () => {
  const redis = await startRedis();
  const a = await logHub(redis.url);
  await a.sse.publishToAll(1);
  await expect.poll(() => a.sse.stats().log.ringItems).toBe(1);
  const before = await commandCalls(redis);
  const clients = await Promise.all(
    range(0, 10).flatMap(() => malformed.map((lastEventId) => openStream(`${a.url}/ann`, { lastEventId }))),
  );
  for (const client of clients) await client.event('server:cursor');
  for (const [index, client] of clients.entries()) {
    expect(client.events.map(({ event }) => event)).toEqual(['server:gap', 'server:cursor']);
    const { reason, lastEventId } = JSON.parse(client.events[0]?.data ?? '');
    expect([reason, lastEventId]).toEqual(['unknown', malformed[index % malformed.length]]);
  }
  const after = await commandCalls(redis);
  expect(after.get('xrange')).toBe(before.get('xrange'));
  expect(a.gaps).toHaveLength(clients.length);
  const again = await openStream(`${a.url}/ann`, { lastEventId: clients[0]?.lastEventId ?? '' });
  await a.sse.publishToAll(2);
  await untilTold(again, 1);
  expect(dataOf(again)).toEqual([2]);
  expect(a.errors).toEqual([]);
});

it('holds a client whose position is ahead of the log, and tells it of a gap when that never comes', async () => {
  const redis = await startRedis();
  const a = await logHub(redis.url);
  const elapsed = stopwatch();
  const client = await openStream(`${a.url}/ann`, { lastEventId: `${Date.now() + 100_000}-0` });
  await client.event('server:cursor');
  expect(elapsed()).toBeLessThan(3500);
  expect(gapsOf(client)).toEqual(['unknown']);
  await a.sse.publishToAll(1);
  await untilTold(client, 2);
  const again = await openStream(`${a.url}/ann`, { lastEventId: client.lastEventId });
  await a.sse.publishToAll(2);
  await untilTold(again, 1);
  expect(dataOf(again)).toEqual([2]);
});

it('holds a client that has more than an instance that lags, and repeats nothing when that has caught up', async () => {
  const redis = await startRedis();
  const proxy = await startProxy(redis.port);
  const [a, b] = [await logHub(redis.url), await logHub(proxy.url)];
  const client = await openStream(`${a.url}/ann`);
  proxy.blackhole();
  for (const n of range(0, 20)) await a.sse.publishToUser('ann', n);
  await untilTold(client, 20);
  client.close();
  const moved = await openStream(`${b.url}/ann`, { lastEventId: client.lastEventId });
  const behind = await openStream(`${b.url}/ann`, { lastEventId: told(client)[9]?.id ?? '' });
  await a.sse.publishToUser('ann', 20);
  expect([...moved.events, ...behind.events]).toEqual([]);
  proxy.heal();
  await Promise.all([untilTold(moved, 1), untilTold(behind, 11)]);
  await a.sse.publishToUser('ann', 21);
  await Promise.all([untilTold(moved, 2), untilTold(behind, 12)]);
  expect(dataOf(moved)).toEqual([20, 21]);
  expect(dataOf(behind)).toEqual(range(10, 22));
  expect(b.gaps).toEqual([]);
});
