import { Cluster } from 'ioredis';
import { describe, expect, it, vi } from 'vitest';
import { atEnd } from '../helpers/cleanup.js';
import { openStream } from '../helpers/client.js';
import { startCluster } from '../helpers/cluster.js';
import { clients, hubAt, KEY, subscribersAt } from '../helpers/cluster-hub.js';
import { numbers, publish, upTo } from '../helpers/numbered.js';
import { program } from '../helpers/programs.js';
import type { TestHub } from '../helpers/server.js';

const redis = program('redis-server');
const PATIENCE = { timeout: 40_000, interval: 20 };

/** Has clients of clusters not learn where the slots are until they are let. */
function deafen(): () => void {
  const refresh = Cluster.prototype.refreshSlotsCache;
  let deaf = true;
  const spy = vi.spyOn(Cluster.prototype, 'refreshSlotsCache');
  spy.mockImplementation(function (this: Cluster, callback) {
    if (deaf) callback?.(null);
    else refresh.call(this, callback);
  });
  atEnd(() => spy.mockRestore());
  return () => {
    deaf = false;
  };
}

/** A hub subscribed at the new owner of its channel, of whom its client hears soon after it is let. */
async function failOver() {
  const cluster = await startCluster({ replicaOf: KEY });
  const hub = await hubAt(cluster, 0);
  const hear = deafen();
  await cluster.ownerOf(KEY).then((owner) => owner.kill());
  const replica = cluster.nodes[3] ?? expect.fail();
  await expect.poll(() => subscribersAt(replica), PATIENCE).toBe(1);
  const letHear = () => {
    const timer = setTimeout(hear, 300);
    atEnd(() => clearTimeout(timer));
  };
  return { hub, replica, letHear };
}

describe.skipIf(redis.skip)('on a Redis Cluster', { timeout: 100_000 }, () => {
  describe.each(clients)('with ioredis $version', ({ Client }) => {
    it('goes on at the replica when the owner of the channel dies', async () => {
      const cluster = await startCluster({ replicaOf: KEY });
      const a = await hubAt(cluster, 0, Client);
      const b = await hubAt(cluster, 1, Client);
      const streams = await Promise.all([a, b].map(({ url }) => openStream(`${url}/ann`)));
      for (let n = 0; n < 10; n += 1) await publish(n % 2 === 0 ? a : b);
      await Promise.all(streams.map((stream) => stream.received(10)));
      const owner = await cluster.ownerOf(KEY);
      await owner.kill();
      const busOf = ({ sse }: TestHub) => sse.stats().bus;
      await expect.poll(() => [busOf(a).outages, busOf(b).outages], PATIENCE).toEqual([1, 1]);
      expect(a.errors.map(({ code }) => code)).toContain('BUS_DOWN');
      await expect(a.sse.publishToUser('ann', 'meanwhile')).rejects.toMatchObject({ delivered: 1 });
      await Promise.all([a.sse.ready(), b.sse.ready()]);
      for (let n = 10; n < 20; n += 1) await publish(n % 2 === 0 ? a : b);
      const [atA, atB] = streams;
      expect((await atA?.received(21))?.map(({ data }) => data)[10]).toBe('"meanwhile"');
      expect(await atB?.received(20)).toEqual(atA?.events.filter(({ data }) => data !== '"meanwhile"'));
      expect(atB === undefined ? [] : numbers(atB)).toEqual(upTo(20));
      expect(await subscribersAt(await cluster.ownerOf(KEY))).toBe(2);
      expect([busOf(a), busOf(b)]).toMatchObject([{ duplicates: 0 }, { duplicates: 0, fallbacks: 0 }]);
    });
  });

  it('follows the channel to a new owner while the old one lives on', async () => {
    const cluster = await startCluster({ replicaOf: KEY });
    const hub = await hubAt(cluster, 0);
    const stream = await openStream(`${hub.url}/ann`);
    await publish(hub);
    const before = await cluster.ownerOf(KEY);
    const replica = cluster.nodes[3];
    await replica?.direct.call('CLUSTER', 'FAILOVER');
    await expect.poll(() => hub.sse.stats().bus, PATIENCE).toMatchObject({ outages: 1, state: 'up' });
    expect(await cluster.ownerOf(KEY)).toBe(replica);
    expect(await subscribersAt(before)).toBe(0);
    await publish(hub);
    await stream.received(2);
    expect(numbers(stream)).toEqual([0, 1]);
  });

  it('is ready when publishes reach the new owner too, however late their client hears of it', async () => {
    const { hub, letHear } = await failOver();
    letHear();
    await hub.sse.ready();
    for (let n = 0; n < 5; n += 1) await publish(hub);
    expect(hub.sse.stats().bus).toMatchObject({ state: 'up', outages: 1 });
  });

  it('subscribes anew when its subscription is cut before its client hears of the new owner', async () => {
    const { hub, replica, letHear } = await failOver();
    await replica.direct.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    // By then it knows that it was cut.
    letHear();
    await expect.poll(() => hub.sse.stats().bus.state, PATIENCE).toBe('up');
    await expect.poll(() => subscribersAt(replica)).toBe(1);
    await hub.sse.ready();
    await publish(hub);
    await expect.poll(() => hub.sse.stats().bus).toMatchObject({ state: 'up', received: 1 });
  });

  it('leaves an owner that hangs as soon as its replica has its place, before the subscription stands or after', async () => {
    const cluster = await startCluster({ replicaOf: KEY });
    const owner = await cluster.ownerOf(KEY);
    const alive = (cluster.nodes.indexOf(owner) + 1) % 3;
    const before = await hubAt(cluster, alive);
    await publish(before);
    process.kill(Number(owner.pid), 'SIGSTOP');
    // It begins to ask while nobody has noticed yet.
    const after = await hubAt(cluster, alive);
    await expect.poll(() => before.sse.stats().bus, PATIENCE).toMatchObject({ outages: 1, state: 'up' });
    const [, , , replica] = cluster.nodes;
    expect(replica && (await subscribersAt(replica))).toBe(2);
    for (const hub of [before, after]) {
      await expect.poll(() => publish(hub).then(() => 'taken', String), PATIENCE).toBe('taken');
    }
    await expect.poll(() => after.sse.stats().bus).toMatchObject({ state: 'up', received: 2, outages: 0 });
  });
});
