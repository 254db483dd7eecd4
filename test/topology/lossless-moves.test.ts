import { Cluster } from 'ioredis';
import { Cluster as Cluster5 } from 'ioredis5';
import { describe, expect, it } from 'vitest';
import { atEnd } from '../helpers/cleanup.js';
import { openStream } from '../helpers/client.js';
import { type RedisCluster, startCluster } from '../helpers/cluster.js';
import { COUNT, dataOf, gapsOf, LOG, logHub, range, TICK, untilPlaced, untilTold } from '../helpers/log.js';
import { program } from '../helpers/programs.js';

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

describe.skipIf(redis.skip)('the log of a Cluster', { timeout: 110_000 }, () => {
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
});
