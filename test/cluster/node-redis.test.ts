import { createClient } from 'redis';
import { expect, it } from 'vitest';
import { createNodeRedisAdapter } from '../../src/index.js';
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
