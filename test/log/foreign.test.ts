import { expect, it } from 'vitest';
import { openStream } from '../helpers/client.js';
import { collect } from '../helpers/emitted.js';
import { COUNT, dataOf, gapsOf, LOG, logHub, range, told, untilPlaced, untilTold } from '../helpers/log.js';
import { startProxy } from '../helpers/proxy.js';
import { startRedis } from '../helpers/redis.js';

it('delivers what others append, drops and reports garbage once, and goes on with the next', async () => {
  const redis = await startRedis();
  const raw = redis.client();
  await raw.xadd(LOG, '*', 'm', '{"type":"all","data":0}');
  const a = await logHub(redis.url, { log: { ringMaxBytes: 0 } });
  const client = await openStream(`${a.url}/ann`);
  await untilPlaced(client);
  const began = client.lastEventId;
  const published = collect(a.sse, 'publish');
  const garbage: [string, string][] = [
    ['m', 'not json'],
    ['m', '{"type":"nobody","data":1}'],
    ['m', '{"type":"user","data":1}'],
    ['m', '{"type":"all","event":"a\\nb","data":1}'],
    ['x', 'y'],
    ['m', '\u0000\ufffd'],
  ];
  for (const [field, value] of garbage) await raw.xadd(LOG, '*', field, value);
  const id = await raw.xadd(LOG, '*', 'm', '{"type":"user","target":"ann","id":"my own","event":"e","data":{"n":1}}');
  await untilTold(client, 1);
  expect(told(client)).toMatchObject([{ id, event: 'e', data: '{"n":1}' }]);
  expect(published).toHaveLength(1);
  const invalid = () => a.errors.filter(({ code }) => code === 'INVALID_ENVELOPE').length;
  expect(invalid()).toBe(garbage.length);
  expect(a.sse.stats().bus.invalid).toBe(garbage.length);
  // Who reads it again, out of Redis, has nothing new to say of it.
  const again = await openStream(`${a.url}/ann`, { lastEventId: began });
  await untilTold(again, 1);
  expect(a.sse.stats().log.resumesFromRedis).toBe(1);
  expect(told(again)).toEqual(told(client));
  expect([invalid(), a.sse.stats().bus.invalid]).toEqual([garbage.length, garbage.length]);
  expect(a.gaps).toEqual([]);
});

it('does not count on from a number that is too high to be one', async () => {
  const redis = await startRedis();
  const raw = redis.client();
  const a = await logHub(redis.url);
  const client = await openStream(`${a.url}/ann`);
  await untilPlaced(client);
  await a.sse.publishToUser('ann', 0);
  await untilTold(client, 1);
  const counted = Number(await raw.get(COUNT));
  for (const n of [Number.MAX_SAFE_INTEGER, counted * 3]) {
    await raw.xadd(LOG, '*', 'm', '{"type":"user","target":"ann","data":"high"}', 'n', n);
    await a.sse.publishToUser('ann', 'next');
  }
  await untilTold(client, 5);
  expect(dataOf(client)).toEqual([0, 'high', 'next', 'high', 'next']);
  expect(a.gaps).toEqual([]);
  expect(Number(await raw.get(COUNT))).toBe(counted + 2);
});

it('says that an id beyond every clock has ended the log, and goes on when the log was deleted', async () => {
  const redis = await startRedis();
  const raw = redis.client();
  const a = await logHub(redis.url);
  const client = await openStream(`${a.url}/ann`);
  await untilPlaced(client);
  await raw.xadd(LOG, '9007199254740993-1', 'm', '{"type":"all","data":"poison"}');
  await expect.poll(() => a.sse.stats().bus.state).toBe('down');
  expect(a.errors.map(({ message }) => message).join()).toContain('with the id 9007199254740993-1');
  await raw.del(LOG);
  await expect.poll(() => a.sse.stats().bus.state).toBe('up');
  await a.sse.publishToUser('ann', { n: 1 });
  await untilTold(client, 1);
  expect(a.gaps).toMatchObject([{ reason: 'reset' }]);
});

it('tells of a gap where others’ entries were gone before they were read', async () => {
  const redis = await startRedis();
  const raw = redis.client();
  const proxy = await startProxy(redis.port);
  const a = await logHub(proxy.url);
  const client = await openStream(`${a.url}/ann`);
  await untilPlaced(client);
  const append = (n: number) => raw.xadd(LOG, '*', 'm', JSON.stringify({ type: 'all', data: n }));
  await append(0);
  await untilTold(client, 1);
  // It was away, and came back to all of it.
  proxy.blackhole();
  for (const n of range(1, 10)) await append(n);
  proxy.heal();
  await untilTold(client, 10);
  expect(gapsOf(client)).toEqual([]);
  proxy.blackhole();
  for (const n of range(10, 30)) await append(n);
  await raw.xtrim(LOG, 'MAXLEN', '=', 5);
  proxy.heal();
  await untilTold(client, 16);
  expect(dataOf(client)).toEqual([...range(0, 10), ...range(25, 30)]);
  expect(gapsOf(client)).toEqual(['evicted']);
});

it('tells of no gap where the log came to hold nothing but the sign that it lives', async () => {
  const redis = await startRedis();
  const raw = redis.client();
  const a = await logHub(redis.url);
  const client = await openStream(`${a.url}/ann`);
  await untilPlaced(client);
  const append = (n: number) => raw.xadd(LOG, '*', 'm', JSON.stringify({ type: 'all', data: n }));
  await append(0);
  await untilTold(client, 1);
  const end = async () => (await raw.xrevrange(LOG, '+', '-', 'COUNT', 1))[0]?.[1][0];
  for (let n = 1; n < 3; n += 1) {
    await expect.poll(end).toBe('tick');
    await raw.xtrim(LOG, 'MAXLEN', '=', 1);
    const [[tick = ''] = []] = await raw.xrange(LOG, '-', '+');
    await expect.poll(async () => (await raw.xrange(LOG, tick, tick)).length).toBe(0);
    await append(n);
    await untilTold(client, n + 1);
  }
  expect(dataOf(client)).toEqual([0, 1, 2]);
  expect(a.gaps).toEqual([]);
});

it.each([
  ['its most events', { maxEvents: 100 }],
  ['its window', { windowMs: 1000 }],
])('keeps the log to %s also where nobody but others appends to it', async (_, log) => {
  const redis = await startRedis();
  const raw = redis.client();
  await logHub(redis.url, { log });
  for (const data of range(0, 500)) await raw.xadd(LOG, '*', 'm', JSON.stringify({ type: 'all', data }));
  await expect.poll(() => raw.xlen(LOG)).toBeLessThanOrEqual(200);
});
