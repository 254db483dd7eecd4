import { Redis } from 'ioredis';
import OldestRedis from 'ioredis50';
import { expect, it } from 'vitest';
import {
  createIORedisAdapter,
  createNodeRedisAdapter,
  createRedisStreamAdapter,
  type RedisLike,
  type SSEKifyOptions,
} from '../../src/index.js';
import { atEnd } from '../helpers/cleanup.js';
import { openStream } from '../helpers/client.js';
import { collect } from '../helpers/emitted.js';
import { startProxy } from '../helpers/proxy.js';
import { startRedis } from '../helpers/redis.js';
import { serveHub } from '../helpers/server.js';
import { stopwatch } from '../helpers/stopwatch.js';

const adapters: [string, (url: string) => RedisLike][] = [
  ['ioredis', createIORedisAdapter],
  ['ioredis 5.0', (url) => createIORedisAdapter(oldest(url))],
  ['redis', createNodeRedisAdapter],
];

function oldest(url: string): OldestRedis {
  const client = new OldestRedis(url, { lazyConnect: true });
  atEnd(() => client.disconnect());
  return client;
}

function impatient(url: string): Redis {
  const client = new Redis(url, { lazyConnect: true, commandTimeout: 1000 });
  atEnd(() => client.disconnect());
  return client;
}

it.each<(typeof adapters)[number]>([
  ...adapters,
  ['an impatient ioredis', (url) => createIORedisAdapter(impatient(url))],
])(
  'settles every publish while the network swallows all, and mends by itself, with %s',
  async (_, make) => {
    const redis = await startRedis();
    const proxy = await startProxy(redis.port);
    const a = await serveHub({ hub: { redis: make(proxy.url) } });
    const b = await serveHub({ hub: { redis: make(redis.url) } });
    const errors = collect(a.sse, 'error');
    await Promise.all([a.sse.ready(), b.sse.ready()]);
    const [atA, atB] = [await openStream(`${a.url}/ann`), await openStream(`${b.url}/ann`)];
    await a.sse.publishToUser('ann', 'before', { id: 'before' });
    await Promise.all([atA.received(1), atB.received(1)]);

    proxy.blackhole();
    const elapsed = stopwatch();
    const data = [{ n: 0 }, { n: 1, requestId: 'k' }, { n: 2 }, { n: 3, requestId: 'k' }];
    const publish = (n: number) => a.sse.publishToUser('ann', data[n], { id: `id ${n}` });
    const settled = await Promise.allSettled(data.map((each) => publish(each.n)));
    expect(elapsed()).toBeLessThan(5000);
    for (const [n, result] of settled.entries()) {
      expect(result).toMatchObject({
        status: 'rejected',
        reason: { code: 'PUBLISH_UNANSWERED', outcome: 'unknown', id: `id ${n}`, delivered: 1 },
      });
    }
    await atA.received(5);
    expect(a.sse.sendToUser('ann', 'local')).toBe(1);

    // Silence is found out by the adapter, which cuts the connections off and makes new ones.
    const down = expect.poll(() => a.sse.stats().bus.outages, { timeout: 20_000, interval: 100 }).toBe(1);
    await down;
    proxy.heal();
    await a.sse.ready();
    for (const { n } of data) expect(await publish(n)).toEqual({ id: `id ${n}` });
    await a.sse.publishToUser('ann', 'after');
    await Promise.all([atA.received(7), atB.received(6)]);
    expect(atA.events.map(({ id, data: text }) => id ?? text).slice(0, 5)).toEqual([
      'before',
      'id 0',
      'id 1',
      'id 2',
      'id 3',
    ]);
    expect(atB.events.map(({ id }) => id).slice(0, 5)).toEqual(['before', 'id 0', 'id 1', 'id 2', 'id 3']);
    expect([atA.events.at(-1)?.data, atB.events.at(-1)?.data]).toEqual(['"after"', '"after"']);
    expect(errors.map(({ code }) => code)).toContain('BUS_DOWN');
    expect(a.sse.stats().bus).toMatchObject({ state: 'up', unanswered: 4, fallbacks: 4, pending: 0 });

    const back = await openStream(`${a.url}/ann`, { lastEventId: 'before' });
    expect(JSON.parse((await back.event('server:gap')).data).reason).toBe('evicted');
  },
  60_000,
);

it.each(adapters)(
  'settles what is published before a first connection that never comes, with %s',
  async (_, make) => {
    const redis = await startRedis();
    const proxy = await startProxy(redis.port);
    proxy.blackhole();
    const a = await serveHub({ hub: { redis: make(proxy.url) } });
    a.sse.on('error', () => undefined);
    const ann = await openStream(`${a.url}/ann`);
    const elapsed = stopwatch();
    const results = await Promise.allSettled([
      a.sse.publishToUser('ann', 1),
      a.sse.publishToUser('ann', { requestId: 'k' }),
    ]);
    expect(elapsed()).toBeLessThan(5000);
    expect(results.map(({ status }) => status)).toEqual(['rejected', 'rejected']);
    await ann.received(2);
    proxy.heal();
    await a.sse.ready();
    await a.sse.publishToUser('ann', 2);
    await ann.received(3);
  },
  60_000,
);

it.each(adapters)('restores connections that are cut, with %s', async (_, make) => {
  const redis = await startRedis();
  const proxy = await startProxy(redis.port);
  const a = await serveHub({ hub: { redis: make(proxy.url) } });
  a.sse.on('error', () => undefined);
  await a.sse.ready();
  const ann = await openStream(`${a.url}/ann`);
  for (let round = 1; round <= 3; round += 1) {
    proxy.cut();
    await expect.poll(() => a.sse.stats().bus.outages).toBe(round);
    await a.sse.ready();
    await a.sse.publishToUser('ann', round);
    await ann.received(round);
  }
  expect(ann.events.map(({ data }) => data)).toEqual(['1', '2', '3']);
});

const channels: [string, (url: string) => SSEKifyOptions['redis']][] = [
  ...adapters,
  ['ioredis in lossless mode', createRedisStreamAdapter],
];

it.each(channels)('leaves a connection that was taken and never answered, with %s', async (_, make) => {
  const redis = await startRedis();
  const proxy = await startProxy(redis.port);
  proxy.blackhole();
  const { sse } = await serveHub({ hub: { redis: make(proxy.url) } });
  const errors = collect(sse, 'error');
  await expect.poll(() => errors.map(String).join(), { timeout: 10_000 }).toContain('not ready in 4000 ms');
  proxy.strand();
  proxy.heal();
  await sse.ready();
  await sse.publishToUser('ann', 'well');
  expect(errors.map(({ code }) => code)).toContain('BUS_ERROR');
});
