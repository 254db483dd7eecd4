import { Redis } from 'ioredis';
import { vi } from 'vitest';
import { askUntil } from './ask-until.js';
import { atEnd } from './cleanup.js';
import { freePort, type RedisServer, startRedis } from './redis.js';

const SLOTS = 16_384;

export interface ClusterNode extends RedisServer {
  readonly busPort: number;
  readonly id: string;
  /** A client of this node alone. */
  readonly direct: Redis;
}

export interface RedisCluster {
  /** Three primaries, and behind them the replica if there is one. */
  readonly nodes: readonly ClusterNode[];
  /** Where to find the cluster, as ioredis takes it. */
  readonly addresses: readonly { host: string; port: number }[];
  /** The node that owns a key's slot now. */
  ownerOf(key: string): Promise<ClusterNode>;
}

/** A cluster of three primaries, each with a third of the slots; with `replicaOf`, a replica of the owner of that key. */
export async function startCluster({ replicaOf }: { replicaOf?: string } = {}): Promise<RedisCluster> {
  const primaries = await Promise.all([startNode(), startNode(), startNode()]);
  await Promise.all(
    primaries.map(async ({ direct }, index) => {
      const from = Math.ceil((SLOTS * index) / 3);
      const to = Math.ceil((SLOTS * (index + 1)) / 3) - 1;
      await direct.call('CLUSTER', 'SET-CONFIG-EPOCH', index + 1);
      await direct.call('CLUSTER', 'ADDSLOTSRANGE', from, to);
    }),
  );
  await introduce(primaries);
  const nodes: ClusterNode[] = [...primaries];
  const cluster = {
    nodes,
    get addresses() {
      return nodes.map(({ port }) => ({ host: '127.0.0.1', port }));
    },
    // While a failover settles there may be none for a moment.
    ownerOf: (key: string) => vi.waitFor(() => ownerOf(nodes, key), { timeout: 20_000 }),
  };
  if (replicaOf !== undefined) {
    const replica = await startNode();
    nodes.push(replica);
    await introduce(nodes);
    const { id } = await cluster.ownerOf(replicaOf);
    await replica.direct.call('CLUSTER', 'REPLICATE', id);
    await askUntil(replica.direct, ['INFO', 'replication'], 'master_link_status:up');
    // Those who are to elect it must know what it is.
    for (const node of nodes) await askUntil(node.direct, ['CLUSTER', 'NODES'], `slave ${id}`);
  }
  return cluster;
}

async function startNode(): Promise<ClusterNode> {
  const busPort = await freePort();
  const server = await startRedis([
    ...['--cluster-enabled', 'yes', '--cluster-port', String(busPort), '--cluster-announce-ip', '127.0.0.1'],
    // Short, so that a failover is; and not so short that a busy machine looks like a dead one.
    ...['--cluster-node-timeout', '3000', '--cluster-replica-validity-factor', '0'],
    ...['--repl-diskless-sync-delay', '0'],
  ]);
  const direct = new Redis(server.port, '127.0.0.1', { disconnectTimeout: 100 });
  // Its server may die.
  direct.on('error', () => undefined);
  atEnd(() => direct.disconnect());
  return { ...server, busPort, direct, id: String(await direct.call('CLUSTER', 'MYID')) };
}

/** Makes nodes known to each other, and waits until each of them finds the cluster whole. */
async function introduce(nodes: readonly ClusterNode[]): Promise<void> {
  const [first, ...others] = nodes;
  for (const { port, busPort } of others) await first?.direct.call('CLUSTER', 'MEET', '127.0.0.1', port, busPort);
  for (const node of nodes) {
    await askUntil(node.direct, ['CLUSTER', 'INFO'], `cluster_known_nodes:${nodes.length}`);
    await askUntil(node.direct, ['CLUSTER', 'INFO'], 'cluster_state:ok');
  }
}

async function ownerOf(nodes: readonly ClusterNode[], key: string): Promise<ClusterNode> {
  for (const node of nodes) {
    // The dead do not answer, and of the others only the owner does so without an error.
    if (node.direct.status !== 'ready') continue;
    const mine = await node.direct.get(key).then(
      () => true,
      () => false,
    );
    if (mine) return node;
  }
  throw new Error(`no node owns ${key}`);
}
