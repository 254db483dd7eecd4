import { describe, expect, it } from 'vitest';
import { createRedisStreamAdapter } from '../../src/index.js';
import { askUntil } from '../helpers/ask-until.js';
import { openStream } from '../helpers/client.js';
import { program } from '../helpers/programs.js';
import { startRedis } from '../helpers/redis.js';
import { serveHub } from '../helpers/server.js';

const redisServer = program('redis-server');

describe.skipIf(redisServer.skip)('a stream adapter that is connected before its hub is made', () => {
  it('serves the hub all the same', async () => {
    const redis = await startRedis();
    const adapter = createRedisStreamAdapter(redis.url);
    // The other client is the one that asks.
    await askUntil(redis.client(), ['INFO', 'clients'], 'connected_clients:2');
    const { sse, url } = await serveHub({ hub: { redis: adapter } });
    await sse.ready();
    const client = await openStream(`${url}/ann`);
    const { id } = await sse.publishToUser('ann', 'here');
    await client.until(({ events }) => events.some((event) => event.id === id && event.data === '"here"'));
    expect(sse.stats().bus).toMatchObject({ state: 'up', published: 1 });
  });
});
