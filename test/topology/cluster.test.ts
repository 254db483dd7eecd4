import { setTimeout as wait } from 'node:timers/promises';
import { Cluster } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { createIORedisAdapter, createRedisStreamAdapter } from '../../src/index.js';
import { askUntil } from '../helpers/ask-until.js';
import { atEnd } from '../helpers/cleanup.js';
import { openStream } from '../helpers/client.js';
import { type ClusterNode, startCluster } from '../helpers/cluster.js';
import { CHANNEL, clients, hubAt, KEY, subscribersAt } from '../helpers/cluster-hub.js';
import { collect } from '../helpers/emitted.js';
import { numbers, publish, upTo } from '../helpers/numbered.js';
import { program } from '../helpers/programs.js';
import { countReadByClient } from '../helpers/read-by-client.js';
import { serveHub } from '../helpers/server.js';

const redis = program('redis-server');
const PATIENCE = { timeout: 40_000, interval: 20 };

const connectionsOf = async ({ direct }: ClusterNode) =>
  String(await direct.call('CLIENT', 'LIST'))
    .trim()
    .split('\n');

describe.skipIf(redis.skip)('on a Redis Cluster', { timeout: 100_000 }, () => {
  describe.each(clients)('with ioredis $version', ({ Client, OfNode }) => {
    it('delivers in one order to instances that were given different nodes', async () => {
      const readByClient = countReadByClient(OfNode);
      const cluster = await startCluster();
      const hubs = await Promise.all([0, 1, 2].map((start) => hubAt(cluster, start, Client)));
      const streams = await Promise.all(hubs.map(({ url }) => openStream(`${url}/ann`)));
      const publishers = hubs.slice(0, 2).map(async (hub, from) => {
        for (let n = 0; n < 100; n += 1) await publish(hub, { from, n });
      });
      await Promise.all(publishers);
      const [first, ...others] = await Promise.all(streams.map((stream) => stream.received(200)));
      for (const other of others) expect(other).toEqual(first);
      for (const stream of streams) expect(numbers(stream)).toEqual(upTo(200));
      for (const { errors, sse } of hubs) {
        expect(errors).toEqual([]);
        expect(sse.stats().bus).toMatchObject({ state: 'up', received: 200, outages: 0, duplicates: 0 });
      }
      // The first of each instance; the others were read at the sockets.
      expect(readByClient()).toBe(3);
    });

    it('keeps the order of calls that nobody awaits, and its subscription', async () => {
      const cluster = await startCluster();
      const hub = await hubAt(cluster, 0, Client);
      const stream = await openStream(`${hub.url}/ann`);
      const data = upTo(300).map((n) => (n % 3 === 0 ? { n } : { n, requestId: 'one' }));
      await Promise.all(data.map((each) => hub.sse.publishToUser('ann', each)));
      await stream.received(300);
      expect(stream.events.map((event) => JSON.parse(event.data).n)).toEqual(upTo(300));
      // Longer than it takes the adapter to ask its connections for a sign of life.
      await wait(6000);
      expect(hub.sse.stats().bus).toMatchObject({ state: 'up', outages: 0 });
    });

    it('subscribes and keeps its numbers at the node that owns the channel, and nowhere else', async () => {
      const cluster = await startCluster();
      const hubs = await Promise.all([0, 1, 2].map((start) => hubAt(cluster, start, Client)));
      for (const hub of hubs) await publish(hub);
      const owner = await cluster.ownerOf(KEY);
      for (const node of cluster.nodes) {
        expect(await subscribersAt(node)).toBe(node === owner ? 3 : 0);
        expect(await node.direct.keys('*')).toEqual(node === owner ? [KEY] : []);
        // Those that were asked and do not own it are left.
        if (node !== owner) await expect.poll(() => connectionsOf(node).then(String)).not.toContain('cmd=get');
      }
      for (const { sse } of hubs) await sse.shutdown();
      // The one that asks.
      for (const node of cluster.nodes) await expect.poll(() => connectionsOf(node)).toHaveLength(1);
    });

    it('logs in as the client does that it was given', async () => {
      const cluster = await startCluster();
      for (const { direct } of cluster.nodes) await direct.config('SET', 'requirepass', 'secret');
      const redisOptions = { password: 'secret' };
      const client = new Client([...cluster.addresses], { lazyConnect: true, redisOptions });
      atEnd(() => client.disconnect());
      for (const createAdapter of [createIORedisAdapter, createRedisStreamAdapter]) {
        const hub = await serveHub({ hub: { redis: createAdapter(client), channel: CHANNEL } });
        const errors = collect(hub.sse, 'error');
        await hub.sse.ready();
        await publish(hub);
        expect(errors).toEqual([]);
      }
    });
  });

  it('tells of a subscription that was cut, and restores it once', async () => {
    const cluster = await startCluster();
    const hub = await hubAt(cluster, 0);
    const stream = await openStream(`${hub.url}/ann`);
    const owner = await cluster.ownerOf(KEY);
    await publish(hub);
    await owner.direct.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await expect.poll(() => hub.sse.stats().bus, PATIENCE).toMatchObject({ outages: 1, state: 'up' });
    await publish(hub);
    await publish(hub);
    await stream.received(3);
    expect(numbers(stream)).toEqual([0, 1, 2]);
    expect(await subscribersAt(owner)).toBe(1);
    expect(hub.sse.stats().bus).toMatchObject({ received: 3, duplicates: 0, fallbacks: 0 });
    // What came in between may be missing here, so a client of before is told.
    const back = await openStream(`${hub.url}/ann`, { lastEventId: stream.events[0]?.id ?? '' });
    expect(JSON.parse((await back.event('server:gap')).data)).toMatchObject({ reason: 'evicted' });
  });

  it('serves hubs of several channels, each at the owner of its own', async () => {
    const cluster = await startCluster();
    const client = new Cluster(cluster.addresses.slice(0, 1), { lazyConnect: true });
    atEnd(() => client.disconnect());
    const adapter = createIORedisAdapter(client);
    const names = ['a', 'b', 'c', 'd', '}', '{', 'x}y{'];
    const hubs = await Promise.all(names.map((channel) => serveHub({ hub: { redis: adapter, channel } })));
    await Promise.all(hubs.map(({ sse }) => sse.ready()));
    for (const [index, hub] of hubs.entries()) {
      const stream = await openStream(`${hub.url}/ann`);
      await publish(hub, { index });
      await publish(hub, { index });
      const seen = (await stream.received(2)).map(({ data }) => JSON.parse(data));
      expect(seen).toMatchObject([
        { index, seq: 0 },
        { index, seq: 1 },
      ]);
    }
    const subscribed = async () => {
      const lists = await Promise.all(cluster.nodes.map(({ direct }) => direct.call('PUBSUB', 'CHANNELS')));
      return lists.flat().sort();
    };
    expect(await subscribed()).toEqual([...names].sort());
    // One after the other they leave, also those that share a node with others.
    for (const [index, { sse }] of hubs.entries()) {
      await sse.shutdown({ graceMs: 0 });
      await expect.poll(subscribed).toEqual(names.slice(index + 1).sort());
    }
  });

  it.each(['a table', 'a function'])(
    'finds the owner where the client says how its nodes are reached, by %s',
    async (how) => {
      const cluster = await startCluster();
      for (const { direct } of cluster.nodes) {
        await direct.config('SET', 'cluster-announce-hostname', 'within.invalid');
        await direct.config('SET', 'cluster-preferred-endpoint-type', 'hostname');
      }
      for (const { direct } of cluster.nodes) {
        for (const { busPort } of cluster.nodes) {
          await askUntil(direct, ['CLUSTER', 'NODES'], `@${busPort},within.invalid`);
        }
      }
      const table = Object.fromEntries(cluster.addresses.map((each) => [`within.invalid:${each.port}`, each]));
      const natMap = how === 'a table' ? table : (name: string) => table[name] ?? null;
      const client = new Cluster([...cluster.addresses], { natMap, lazyConnect: true });
      atEnd(() => client.disconnect());
      const adapter = createIORedisAdapter(client);
      // So many that not all of them belong to the node that is asked first.
      const hubs = await Promise.all(
        ['a', 'b', 'c', 'd'].map((channel) => serveHub({ hub: { redis: adapter, channel } })),
      );
      const errors = hubs.map(({ sse }) => collect(sse, 'error'));
      for (const hub of hubs) {
        await hub.sse.ready();
        await publish(hub);
      }
      expect(errors.flat()).toEqual([]);
    },
  );

  it('keeps its subscription where Redis refuses its pings', async () => {
    const cluster = await startCluster();
    const asApp = ['ACL', 'SETUSER', 'app', 'on', '>pw', '+@all', '-ping', '~*', '&*'] as const;
    for (const { direct } of cluster.nodes) await direct.call(...asApp);
    const redisOptions = { username: 'app', password: 'pw' };
    const client = new Cluster([...cluster.addresses], { redisOptions, lazyConnect: true });
    atEnd(() => client.disconnect());
    const hub = await serveHub({ hub: { redis: createIORedisAdapter(client), channel: CHANNEL } });
    const errors = collect(hub.sse, 'error');
    await hub.sse.ready();
    const owner = await cluster.ownerOf(KEY);
    await askUntil(owner.direct, ['CLIENT', 'LIST', 'TYPE', 'pubsub'], 'cmd=ping');
    await publish(hub);
    await expect.poll(() => hub.sse.stats().bus).toMatchObject({ state: 'up', received: 1, outages: 0 });
    expect(errors).toEqual([]);
  });

  it('starts before its cluster does, and is ready when that is', async () => {
    const cluster = await startCluster();
    for (const node of cluster.nodes) await node.kill();
    const client = new Cluster([...cluster.addresses], { lazyConnect: true });
    atEnd(() => client.disconnect());
    const hub = await serveHub({ hub: { redis: createIORedisAdapter(client), channel: CHANNEL } });
    const errors = collect(hub.sse, 'error');
    await expect.poll(() => errors.length, PATIENCE).toBeGreaterThan(0);
    await expect(publish(hub)).rejects.toMatchObject({ code: 'PUBLISH_REFUSED', delivered: 0 });
    for (const node of cluster.nodes) await node.start();
    await hub.sse.ready();
    await expect.poll(() => publish(hub).then(() => 'taken', String), PATIENCE).toBe('taken');
  });
});
