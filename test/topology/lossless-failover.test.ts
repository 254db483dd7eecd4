import { Cluster } from 'ioredis';
import { Cluster as Cluster5 } from 'ioredis5';
import { describe, expect, it } from 'vitest';
import { atEnd } from '../helpers/cleanup.js';
import { openStream } from '../helpers/client.js';
import { startCluster } from '../helpers/cluster.js';
import { COUNT, dataOf, gapsOf, logHub, range, told, untilPlaced, untilTold } from '../helpers/log.js';
import { program } from '../helpers/programs.js';
import { startSentinels } from '../helpers/sentinel.js';

const redis = program('redis-server');
const PATIENCE = { timeout: 40_000, interval: 50 };

describe.skipIf(redis.skip)('the log when its node goes', { timeout: 110_000 }, () => {
  it.each([
    ['6', Cluster],
    ['5', Cluster5],
  ])('goes on at the replica when the node of the log dies, with ioredis %s', async (_, Client) => {
    const cluster = await startCluster({ replicaOf: COUNT });
    const hubAt = (start: number) => {
      const target = new Client(cluster.addresses.slice(start, start + 1), { lazyConnect: true });
      atEnd(() => target.disconnect());
      return logHub(target, { log: { durable: true } });
    };
    const hubs = [await hubAt(0), await hubAt(1)];
    const clients = await Promise.all(hubs.map(({ url }) => openStream(`${url}/ann`)));
    await Promise.all(clients.map(untilPlaced));
    // Numbered, with a key: a retry takes neither another number nor another place.
    const publish = (n: number) =>
      hubs[n % 2]?.sse.publishToUser('ann', { n, requestId: 'k' }, { key: `${n}` }).then(
        () => 'taken',
        (error) => error.outcome,
      );
    for (const n of range(0, 10)) expect(await publish(n)).toBe('taken');
    const owner = await cluster.ownerOf(COUNT);
    await owner.kill();
    await expect.poll(() => hubs.map(({ sse }) => sse.stats().bus.state), PATIENCE).toEqual(['down', 'down']);
    expect(await publish(10)).not.toBe('taken');
    await expect
      .poll(() => cluster.ownerOf(COUNT).then((now) => now === cluster.nodes[3], String), PATIENCE)
      .toBe(true);
    // As a replica of the one that took its place.
    await owner.start();
    for (const n of range(10, 20)) await expect.poll(() => publish(n), PATIENCE).toBe('taken');
    await Promise.all(clients.map((client) => untilTold(client, 20)));
    for (const client of clients) {
      expect(dataOf(client).map(({ n }) => n)).toEqual(range(0, 20));
      expect(dataOf(client).map(({ seq }) => seq)).toEqual(range(0, 20));
    }
    expect(clients.flatMap(gapsOf)).toEqual([]);
    const late = await hubAt(2);
    const [fifth] = clients.map((client) => told(client)[4]?.id);
    const again = await openStream(`${late.url}/ann`, { lastEventId: fifth ?? '' });
    await untilTold(again, 15);
    expect(dataOf(again).map(({ n }) => n)).toEqual(range(5, 20));
    for (const { sse } of hubs) expect(sse.stats().bus).toMatchObject({ state: 'up', pending: 0 });
  });

  it('keeps all that was acknowledged through a failover by Sentinel when it is durable', async () => {
    const { primary, sentinels, name } = await startSentinels();
    const hubs = [
      await logHub({ sentinels, name }, { log: { durable: true } }),
      await logHub({ sentinels, name }, { log: { durable: true } }),
    ];
    const clients = await Promise.all(hubs.map(({ url }) => openStream(`${url}/ann`)));
    await Promise.all(clients.map(untilPlaced));
    const taken: number[] = [];
    for (const n of range(0, 20)) {
      await hubs[n % 2]?.sse.publishToUser('ann', n, { key: `${n}` });
      taken.push(n);
    }
    await primary.kill();
    const retry = () =>
      hubs[0]?.sse.publishToUser('ann', 20, { key: '20' }).then(
        () => 'taken',
        (error) => error.outcome,
      );
    await expect.poll(() => hubs[0]?.sse.stats().bus.state, PATIENCE).toBe('down');
    // The new primary has no replica, and without one nothing is acknowledged.
    await expect.poll(retry, PATIENCE).toBe('unknown');
    // What was acknowledged last may not have been heard yet; what was not acknowledged must not.
    for (const told of clients.map(dataOf)) expect(told).toEqual(taken.slice(0, told.length));
    await primary.start();
    await expect.poll(retry, PATIENCE).toBe('taken');
    await Promise.all(clients.map((client) => untilTold(client, 21)));
    expect(clients.map(dataOf)).toEqual([range(0, 21), range(0, 21)]);
    expect(clients.flatMap(gapsOf)).toEqual([]);
  });
});
