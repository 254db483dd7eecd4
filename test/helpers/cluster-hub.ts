import { Cluster, Redis } from 'ioredis';
import { Cluster as Cluster5, Redis as Redis5 } from 'ioredis5';
import OldestRedis, { Cluster as OldestCluster } from 'ioredis50';
import { createIORedisAdapter } from '../../src/index.js';
import { atEnd } from './cleanup.js';
import type { ClusterNode, RedisCluster } from './cluster.js';
import { collect } from './emitted.js';
import { serveHub } from './server.js';

export const CHANNEL = 'topology';

/** A key on the node that the channel belongs to. */
export const KEY = `{${CHANNEL}}:ssekify:seq:one`;

export const clients = [
  { version: 6, Client: Cluster, OfNode: Redis },
  { version: 5, Client: Cluster5, OfNode: Redis5 },
  { version: '5.0', Client: OldestCluster, OfNode: OldestRedis },
];

type AnyCluster = typeof Cluster | typeof Cluster5 | typeof OldestCluster;

/** A hub whose client knows one node to begin with. */
export async function hubAt(cluster: RedisCluster, start: number, Client: AnyCluster = Cluster) {
  const client = new Client(cluster.addresses.slice(start, start + 1), { lazyConnect: true });
  atEnd(() => client.disconnect());
  const hub = await serveHub({ hub: { redis: createIORedisAdapter(client), channel: CHANNEL } });
  const errors = collect(hub.sse, 'error');
  await hub.sse.ready();
  return { ...hub, errors };
}

export const subscribersAt = async ({ direct }: ClusterNode) =>
  Object(await direct.call('PUBSUB', 'NUMSUB', CHANNEL))[1];
