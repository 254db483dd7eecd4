import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import { describe, expect, it } from 'vitest';
import { createIORedisAdapter } from '../../src/index.js';
import { atEnd } from '../helpers/cleanup.js';
import { openStream } from '../helpers/client.js';
import { type RedisServer, startRedis } from '../helpers/redis.js';
import { serveHub } from '../helpers/server.js';

const clients: [string, (options: { host: string; port: number; keyPrefix: string }) => Redis | Redis5][] = [
  ['ioredis 6', (options) => new Redis({ ...options, lazyConnect: true })],
  ['ioredis 5', (options) => new Redis5({ ...options, lazyConnect: true })],
];

describe.each(clients)('a client of %s with a keyPrefix', (_, make) => {
  const instance = async ({ port }: RedisServer, keyPrefix = '') => {
    const client = make({ host: '127.0.0.1', port, keyPrefix });
    atEnd(() => client.disconnect());
    const hub = await serveHub({ hub: { redis: createIORedisAdapter(client) } });
    await hub.sse.ready();
    const ann = await openStream(`${hub.url}/ann`);
    return { ...hub, ann, said: () => ann.events.map(({ data }) => JSON.parse(data)) };
  };

  it('keeps its counters under the prefix, each number taken once, and its channel where all find it', async () => {
    const redis = await startRedis();
    const [a, b] = [await instance(redis, 'app:'), await instance(redis, 'app:')];
    const publishes = Array.from({ length: 20 }, (_, n) =>
      (n % 2 === 0 ? a : b).sse.publishToUser('ann', { n, requestId: 'k' }),
    );
    await Promise.all(publishes);
    await Promise.all([a.ann.received(20), b.ann.received(20)]);
    expect(a.said().map(({ seq }) => seq)).toEqual(Array.from({ length: 20 }, (_, n) => n));
    expect(b.said()).toEqual(a.said());
    const raw = redis.client();
    expect(await raw.keys('*')).toEqual(['app:ssekify:seq:k']);
    expect(await raw.get('app:ssekify:seq:k')).toBe('20');
    expect(await raw.ttl('app:ssekify:seq:k')).toBeGreaterThan(86_000);
    expect(await raw.pubsub('CHANNELS')).toEqual(['ssekify:bus']);
  });

  it('lets the counter of a key that is final expire, under the prefix', async () => {
    const redis = await startRedis();
    const a = await instance(redis, 'app:');
    await a.sse.publishToUser('ann', { requestId: 'k', final: true });
    const left = await redis.client().pttl('app:ssekify:seq:k');
    expect(left).toBeGreaterThan(0);
    expect(left).toBeLessThanOrEqual(60_000);
  });

  it('shares events with hubs of another prefix, but no counters', async () => {
    const redis = await startRedis();
    const [a, b] = [await instance(redis, 'app:'), await instance(redis)];
    for (const [index, { sse }] of [a, b, a].entries()) {
      await sse.publishToUser('ann', { requestId: 'k' });
      await Promise.all([a.ann.received(index + 1), b.ann.received(index + 1)]);
    }
    expect(b.said()).toEqual(a.said());
    const raw = redis.client();
    expect((await raw.keys('*')).sort()).toEqual(['app:ssekify:seq:k', 'ssekify:seq:k']);
    // One after the other a hub goes on from what it has seen; at the same time both would take one number.
    expect(a.said().map(({ seq }) => seq)).toEqual([0, 1, 2]);
  });
});
