import { setTimeout as wait } from 'node:timers/promises';
import { Cluster, Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import { createClient } from 'redis';
import { describe, expect, it } from 'vitest';
import { createIORedisAdapter, createNodeRedisAdapter, type RedisLike } from '../../src/index.js';
import { atEnd } from '../helpers/cleanup.js';
import { openStream } from '../helpers/client.js';
import { startCluster } from '../helpers/cluster.js';
import { collect } from '../helpers/emitted.js';
import { program } from '../helpers/programs.js';
import { startRedis } from '../helpers/redis.js';
import { serveHub } from '../helpers/server.js';

const redis = program('redis-server');
const PATIENCE = { timeout: 30_000, interval: 20 };

const retryStrategy = () => null;

const reconnectStrategy = () => new Error('that is enough');

const adapters: [string, (port: number) => RedisLike][] = [
  ['options', (port) => createIORedisAdapter({ port, retryStrategy })],
  ['a client of ioredis 6', (port) => createIORedisAdapter(new Redis({ port, retryStrategy, lazyConnect: true }))],
  ['a client of ioredis 5', (port) => createIORedisAdapter(new Redis5({ port, retryStrategy, lazyConnect: true }))],
  ['options of redis', (port) => createNodeRedisAdapter({ socket: { port, reconnectStrategy } })],
  [
    'options of redis that allow no retry',
    (port) => createNodeRedisAdapter({ socket: { port, reconnectStrategy: false } }),
  ],
  ['a client of redis', (port) => createNodeRedisAdapter(createClient({ socket: { port, reconnectStrategy } }))],
];

describe.skipIf(redis.skip)('a client that gives up after its first lost connection', { timeout: 60_000 }, () => {
  it.each(adapters)('is made to connect again, given as %s', async (_given, adapterOf) => {
    const server = await startRedis();
    const hub = await serveHub({ hub: { redis: adapterOf(server.port) } });
    hub.sse.on('error', () => undefined);
    await hub.sse.ready();
    const stream = await openStream(`${hub.url}/ann`);
    await server.kill();
    await expect.poll(() => hub.sse.stats().bus.state, PATIENCE).toBe('down');
    await server.start();
    await hub.sse.ready();
    await expect
      .poll(() => hub.sse.publishToUser('ann', 1, { id: 'one' }).then(() => 'taken', String), PATIENCE)
      .toBe('taken');
    await stream.received(1);
    expect(stream.events).toHaveLength(1);
  });

  it.each(adapters)('is made to connect when Redis comes later, given as %s', async (_given, adapterOf) => {
    const server = await startRedis();
    await server.kill();
    const hub = await serveHub({ hub: { redis: adapterOf(server.port) } });
    const errors = collect(hub.sse, 'error');
    await expect.poll(() => errors.length, PATIENCE).toBeGreaterThan(0);
    await server.start();
    await hub.sse.ready();
    await hub.sse.publishToUser('ann', 1);
    expect(hub.sse.stats().bus).toMatchObject({ state: 'up', published: 1, outages: 0 });
  });

  it.each(adapters)('is not made to connect once its hub was shut down, given as %s', async (_given, adapterOf) => {
    const server = await startRedis();
    const hub = await serveHub({ hub: { redis: adapterOf(server.port) } });
    const errors = collect(hub.sse, 'error');
    await hub.sse.ready();
    await server.kill();
    await expect.poll(() => errors.length, PATIENCE).toBeGreaterThan(0);
    await hub.sse.shutdown({ graceMs: 0 });
    await server.start();
    const client = server.client();
    // Longer than the pause before it would connect once more.
    await wait(800);
    expect(
      String(await client.call('CLIENT', 'LIST'))
        .trim()
        .split('\n'),
    ).toHaveLength(1);
  });

  it('is made to connect again on a Cluster', async () => {
    const cluster = await startCluster();
    const client = new Cluster([...cluster.addresses], { clusterRetryStrategy: retryStrategy, lazyConnect: true });
    atEnd(() => client.disconnect());
    const hub = await serveHub({ hub: { redis: createIORedisAdapter(client) } });
    hub.sse.on('error', () => undefined);
    await hub.sse.ready();
    for (const node of cluster.nodes) await node.kill();
    await expect.poll(() => hub.sse.stats().bus.state, PATIENCE).toBe('down');
    // So that the client finds no node left.
    await expect(hub.sse.publishToUser('ann', 0)).rejects.toMatchObject({ delivered: 0 });
    for (const node of cluster.nodes) await node.start();
    await hub.sse.ready();
    await expect.poll(() => hub.sse.publishToUser('ann', 1).then(() => 'taken', String), PATIENCE).toBe('taken');
  });
});
