import { Cluster } from 'ioredis';
import { Cluster as Cluster5 } from 'ioredis5';
import { describe, expect, it } from 'vitest';
import { askUntil } from '../helpers/ask-until.js';
import { atEnd } from '../helpers/cleanup.js';
import { openStream } from '../helpers/client.js';
import { startCluster } from '../helpers/cluster.js';
import { COUNT, dataOf, LOG, logHub, range, told, untilPlaced, untilTold } from '../helpers/log.js';
import { program } from '../helpers/programs.js';

const redis = program('redis-server');

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
});
