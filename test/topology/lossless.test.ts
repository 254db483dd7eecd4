import { Cluster } from 'ioredis';
import { Cluster as Cluster5 } from 'ioredis5';
import { describe, expect, it } from 'vitest';
import { askUntil } from '../helpers/ask-until.js';
import { atEnd } from '../helpers/cleanup.js';
import { openStream } from '../helpers/client.js';
import { type RedisCluster, startCluster } from '../helpers/cluster.js';
import { COUNT, dataOf, gapsOf, LOG, logHub, range, TICK, told, untilPlaced, untilTold } from '../helpers/log.js';
import { program } from '../helpers/programs.js';
import { startSentinels } from '../helpers/sentinel.js';

const redis = program('redis-server');
const PATIENCE = { timeout: 40_000, interval: 50 };

/** Begins to move the slot of the log to a primary that has no replica. */
async function startMove(cluster: RedisCluster) {
  const from = await cluster.ownerOf(COUNT);
  const primaries = cluster.nodes.slice(0, 3);
  const to = primaries.find((node) => node !== from) ?? from;
  const slot = Number(await from.direct.cluster('KEYSLOT', LOG));
  await to.direct.cluster('SETSLOT', slot, 'IMPORTING', from.id);
  await from.direct.cluster('SETSLOT', slot, 'MIGRATING', to.id);
  return {
    /** Moves all that is in it. */
    async keys() {
      for (;;) {
        const [key] = await from.direct.cluster('GETKEYSINSLOT', slot, 1);
        if (key === undefined) return;
        await from.direct.migrate('127.0.0.1', to.port, String(key), 0, 5000);
      }
    },
    async end() {
      await to.direct.cluster('SETSLOT', slot, 'NODE', to.id);
      for (const { direct } of primaries) await direct.cluster('SETSLOT', slot, 'NODE', to.id);
    },
  };
}

describe.skipIf(redis.skip)('lossless mode', { timeout: 110_000 }, () => {
  it.each([
    ['6', Cluster],
    ['5', Cluster5],
  ])('has its log at one node of a Cluster, with ioredis %s', async (_, Client) => {
    const cluster = await startCluster();
    const targetAt = (start: number) => {
      const client = new Client(cluster.addresses.slice(start, start + 1), { lazyConnect: true });
      atEnd(() => client.disconnect());
      return client;
    };
    const [a, b] = [await logHub(targetAt(0)), await logHub(targetAt(1))];
    const clients = [await openStream(`${a.url}/ann`), await openStream(`${b.url}/ann`)];
    await Promise.all(
      range(0, 100).map((n) => (n % 2 === 0 ? a : b).sse.publishToUser('ann', { n, requestId: 'k' }, { key: `${n}` })),
    );
    await Promise.all(clients.map((client) => untilTold(client, 100)));
    expect(clients[0]?.events.filter(({ data }) => data)).toEqual(clients[1]?.events.filter(({ data }) => data));
    expect(clients.map((client) => dataOf(client).map(({ seq }) => seq))).toEqual([range(0, 100), range(0, 100)]);
    const c = await logHub(targetAt(2), { log: { ringMaxBytes: 0 } });
    const again = await openStream(`${c.url}/ann`, {
      lastEventId: clients[0]?.events.find(({ data }) => data)?.id ?? '',
    });
    await untilTold(again, 99);
    expect(dataOf(again).map(({ seq }) => seq)).toEqual(range(1, 100));
    const owner = await cluster.ownerOf(COUNT);
    expect(await owner.direct.xlen(LOG)).toBeGreaterThanOrEqual(100);
    expect([...a.errors, ...b.errors, ...c.errors]).toEqual([]);
  });

  it('reads its log where it is written, also with a client that reads from replicas', async () => {
    const cluster = await startCluster({ replicaOf: COUNT });
    const owner = await cluster.ownerOf(COUNT);
    const replica = cluster.nodes[3];
    if (replica === undefined) throw new Error('no replica');
    for (const { direct } of cluster.nodes) await askUntil(direct, ['CLUSTER', 'SLOTS'], replica.id);
    const target = new Cluster([...cluster.addresses], { lazyConnect: true, scaleReads: 'slave' });
    atEnd(() => target.disconnect());
    const hub = await logHub(target, { log: { ringMaxBytes: 0 } });
    const ann = await openStream(`${hub.url}/ann`);
    await untilPlaced(ann);
    for (const n of range(0, 5)) await hub.sse.publishToUser('ann', n);
    await untilTold(ann, 5);
    // From here on it hears nothing new.
    await replica.direct.config('SET', 'masterauth', 'wrong');
    await owner.direct.call('CLIENT', 'KILL', 'TYPE', 'replica');
    await askUntil(replica.direct, ['INFO', 'replication'], 'master_link_status:down');
    for (const n of range(5, 10)) await hub.sse.publishToUser('ann', n);
    await untilTold(ann, 10);
    const again = await openStream(`${hub.url}/ann`, { lastEventId: told(ann)[4]?.id ?? '' });
    await untilTold(again, 5);
    expect([dataOf(ann), dataOf(again)]).toEqual([range(0, 10), range(5, 10)]);
    expect(hub.errors).toEqual([]);
  });

  it.each([
    ['6', Cluster],
    ['5', Cluster5],
  ])('goes on while its slot moves, with ioredis %s', async (_, Client) => {
    const cluster = await startCluster();
    const target = new Client([...cluster.addresses], { lazyConnect: true });
    atEnd(() => target.disconnect());
    const { sse, url } = await logHub(target);
    const ann = await openStream(`${url}/ann`);
    await untilPlaced(ann);
    const counted = (n: number) => sse.publishToUser('ann', { n, requestId: 'k' });
    // A client connects to a node with its first command for it, and does not send those that come meanwhile.
    const retried = (publish: () => Promise<unknown>) =>
      expect.poll(() => publish().then(() => 'taken', String), PATIENCE).toBe('taken');
    await counted(0);
    const owner = await cluster.ownerOf(COUNT);
    const tick = () => owner.direct.get(TICK);
    await expect.poll(tick, PATIENCE).not.toBeNull();
    const move = await startMove(cluster);
    await counted(1);
    await sse.publishToUser('ann', { n: 2 });
    // A new key is not there, while others are.
    await expect(sse.publishToUser('ann', { n: 6 }, { key: '6' })).rejects.toMatchObject({
      code: 'PUBLISH_REFUSED',
      outcome: 'refused',
    });
    for (const _round of range(0, 2)) {
      const before = await tick();
      await expect.poll(tick, PATIENCE).not.toBe(before);
    }
    await move.keys();
    await retried(() => counted(3));
    await retried(() => sse.publishToUser('ann', { n: 4 }));
    await untilTold(ann, 5);
    await move.end();
    await retried(() => counted(5));
    await retried(() => sse.publishToUser('ann', { n: 6 }, { key: '6' }));
    await untilTold(ann, 7);
    expect(dataOf(ann).map(({ n }) => n)).toEqual(range(0, 7));
    expect(gapsOf(ann)).toEqual([]);
  });

  it('takes no replica of the former owner for one of the new owner', async () => {
    const cluster = await startCluster({ replicaOf: COUNT });
    const target = new Cluster([...cluster.addresses], { lazyConnect: true });
    atEnd(() => target.disconnect());
    const { sse, url } = await logHub(target, { log: { durable: true } });
    const ann = await openStream(`${url}/ann`);
    await untilPlaced(ann);
    await sse.publishToUser('ann', 0);
    await untilTold(ann, 1);
    const move = await startMove(cluster);
    await move.keys();
    await expect(sse.publishToUser('ann', 1)).rejects.toMatchObject({ outcome: 'unknown' });
    await move.end();
    await expect(sse.publishToUser('ann', 2)).rejects.toMatchObject({ outcome: 'unknown' });
    expect(dataOf(ann)).toEqual([0]);
  });

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
