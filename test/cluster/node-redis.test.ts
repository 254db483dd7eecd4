import { Redis } from 'ioredis';
import { createClient, createClientPool, createCluster, createSentinel } from 'redis';
import { expect, it } from 'vitest';
import { createNodeRedisAdapter } from '../../src/index.js';
import { collect } from '../helpers/emitted.js';
import { startProxy } from '../helpers/proxy.js';
import { startRedis } from '../helpers/redis.js';
import { serveHub } from '../helpers/server.js';
import { redisChannel } from './redis-channel.js';
import { contract } from './redis-like-contract.js';

contract('redis, by URL', () => redisChannel(({ url }) => createNodeRedisAdapter(url)));

contract('redis, by options', () =>
  redisChannel(({ port }) => createNodeRedisAdapter({ socket: { host: '127.0.0.1', port } })),
);

contract('redis, by a client', () => redisChannel(({ url }) => createNodeRedisAdapter(createClient({ url }))));

it('neither uses nor closes the client it was given', async () => {
  const redis = await startRedis();
  const client = createClient({ url: redis.url });
  await client.connect();
  const { sse } = await serveHub({ hub: { redis: createNodeRedisAdapter(client) } });
  await sse.ready();
  await sse.publishToUser('ann', { requestId: 'r' });
  await sse.shutdown({ graceMs: 0 });
  expect(client.isReady).toBe(true);
  expect(await client.ping()).toBe('PONG');
  client.destroy();
});

it('serves a hub that takes the place of one that has left the channel just now', async () => {
  const redis = await startRedis();
  const adapter = createNodeRedisAdapter(redis.url);
  const [other, before] = await Promise.all(
    ['one', 'two'].map((channel) => serveHub({ hub: { redis: adapter, channel } })),
  );
  await Promise.all([other?.sse.ready(), before?.sse.ready()]);
  const closing = before?.sse.shutdown({ graceMs: 0 });
  // It has left, and Redis has not answered yet.
  await new Promise((resolve) => setImmediate(resolve));
  const { sse } = await serveHub({ hub: { redis: adapter, channel: 'two' } });
  await Promise.all([closing, sse.ready()]);
  await sse.publishToAll(1);
  await expect.poll(() => sse.stats().bus).toMatchObject({ received: 1, fallbacks: 0 });
});

it('goes on when Redis refuses the pings of the client', async () => {
  const redis = await startRedis();
  const admin = redis.client();
  await admin.call('ACL', 'SETUSER', 'app', 'on', '>pw', '+@all', '-ping', '~*', '&*');
  const adapter = createNodeRedisAdapter({ url: `redis://app:pw@127.0.0.1:${redis.port}`, pingInterval: 50 });
  const { sse } = await serveHub({ hub: { redis: adapter } });
  const errors = collect(sse, 'error');
  await sse.ready();
  await expect.poll(() => errors.length).toBeGreaterThan(0);
  expect(errors[0]).toMatchObject({ code: 'BUS_ERROR', message: expect.stringContaining('NOPERM') });
  await sse.publishToAll({ requestId: 'r' });
  expect(sse.stats().bus).toMatchObject({ state: 'up', outages: 0 });
});

it('connects again when it can make nothing of what it reads', async () => {
  const redis = await startRedis();
  const proxy = await startProxy(redis.port);
  const { sse } = await serveHub({ hub: { redis: createNodeRedisAdapter(proxy.url) } });
  const errors = collect(sse, 'error');
  await sse.ready();
  proxy.say('HTTP/1.1 502 Bad Gateway\r\n\r\n');
  await expect.poll(() => errors.some(({ code }) => code === 'BUS_DOWN')).toBe(true);
  await sse.ready();
  await sse.publishToAll({ requestId: 'r' });
  expect(sse.stats().bus).toMatchObject({ state: 'up', outages: 1, published: 1 });
});

it('connects not at once again when it can make nothing of what each new connection brings', async () => {
  const redis = await startRedis();
  const proxy = await startProxy(redis.port);
  const { sse } = await serveHub({ hub: { redis: createNodeRedisAdapter(proxy.url) } });
  sse.on('error', () => undefined);
  await sse.ready();
  const startedAt = performance.now();
  for (let outages = 1; outages <= 4; outages += 1) {
    proxy.say('HTTP/1.1 502 Bad Gateway\r\n\r\n');
    await expect.poll(() => sse.stats().bus.outages).toBe(outages);
    await sse.ready();
  }
  expect(performance.now() - startedAt).toBeGreaterThan(1400);
});

it('refuses options with a URL that the client cannot read', () => {
  expect(() => createNodeRedisAdapter({ url: 'redis://localhost:undefined' })).toThrow(
    expect.objectContaining({
      code: 'INVALID_OPTION',
      message: expect.stringContaining('redis://localhost:undefined'),
    }),
  );
});

it('takes a client that it cannot use for no options, which would lead elsewhere', () => {
  const ofSentinels = createSentinel({ name: 'mymaster', sentinelRootNodes: [{ host: 'localhost', port: 26379 }] });
  const ofCluster = createCluster({ rootNodes: [{ url: 'redis://localhost:7000' }] });
  for (const other of [new Redis({ lazyConnect: true }), createClientPool(), ofSentinels, ofCluster]) {
    expect(() => createNodeRedisAdapter(other)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining('a client of redis 5') }),
    );
  }
});
