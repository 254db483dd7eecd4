import { expect, it } from 'vitest';
import type { RedisStreamOptions } from '../../src/index.js';
import { askUntil } from '../helpers/ask-until.js';
import { openStream } from '../helpers/client.js';
import { dataOf, LOG, logHub, range, told, untilPlaced, untilTold } from '../helpers/log.js';
import { startRedis } from '../helpers/redis.js';

const PATIENCE = { timeout: 15_000, interval: 50 };

async function withReplica(log?: RedisStreamOptions) {
  const redis = await startRedis(['--repl-diskless-sync-delay', '0']);
  const replica = await startRedis(['--replicaof', `127.0.0.1 ${redis.port}`]);
  await askUntil(redis.client(), ['INFO', 'replication'], 'state=online');
  const a = await logHub(redis.url, { log: { ...log, durable: true } });
  const client = await openStream(`${a.url}/ann`);
  await untilPlaced(client);
  return { redis, replica, a, client };
}

const unknown = { code: 'PUBLISH_UNANSWERED', outcome: 'unknown', delivered: 0 };

it('resolves when a replica has the event', async () => {
  const { replica, a, client } = await withReplica();
  const { id = '' } = await a.sse.publishToAll({ requestId: 'k' });
  expect(await replica.client().xrange(LOG, id, id)).toHaveLength(1);
  await untilTold(client, 1);
  expect(dataOf(client)).toMatchObject([{ seq: 0 }]);
  expect(a.errors).toEqual([]);
});

it('rejects while no replica answers and delivers nothing, and appends a retry with the key once', async () => {
  const { redis, replica, a, client } = await withReplica();
  await a.sse.publishToAll(0);
  await untilTold(client, 1);
  process.kill(replica.pid ?? expect.fail(), 'SIGSTOP');
  await expect(a.sse.publishToAll(1, { key: 'k' })).rejects.toMatchObject(unknown);
  await expect(a.sse.publishToAll(1, { key: 'k' })).rejects.toMatchObject(unknown);
  expect(dataOf(client)).toEqual([0]);
  process.kill(replica.pid ?? expect.fail(), 'SIGCONT');
  const retry = () => a.sse.publishToAll(1, { key: 'k' }).then(() => 'taken', String);
  await expect.poll(retry, PATIENCE).toBe('taken');
  await untilTold(client, 2);
  await a.sse.publishToAll(2);
  await untilTold(client, 3);
  expect(dataOf(client)).toEqual([0, 1, 2]);
  const log = await redis.client().xrange(LOG, '-', '+');
  expect(log.filter(([, fields]) => fields[0] === 'm')).toHaveLength(3);
}, 40_000);

it('resolves no retry on another instance either before a replica has what was appended with the key', async () => {
  const { redis, replica, a } = await withReplica();
  const b = await logHub(redis.url, { log: { durable: true } });
  // What each has written so far the replica has.
  await Promise.all([a.sse.publishToAll(0), b.sse.publishToAll(1)]);
  process.kill(replica.pid ?? expect.fail(), 'SIGSTOP');
  const results = await Promise.allSettled([a, b].map(({ sse }) => sse.publishToAll(2, { key: 'k' })));
  expect(results).toMatchObject(range(0, 2).map(() => ({ status: 'rejected', reason: unknown })));
  const log = await redis.client().xrange(LOG, '-', '+');
  expect(log.filter(([, fields]) => fields[0] === 'm')).toHaveLength(3);
}, 40_000);

it('delivers nothing without a replica, and all of it once one is there', async () => {
  const { redis, replica, a, client } = await withReplica();
  await replica.client().replicaof('NO', 'ONE');
  await askUntil(redis.client(), ['INFO', 'replication'], 'connected_slaves:0');
  await expect(a.sse.publishToAll(0, { key: 'k' })).rejects.toMatchObject(unknown);
  const other = await logHub(redis.url);
  const seen = await openStream(`${other.url}/ann`);
  await other.sse.publishToAll(1);
  await untilTold(seen, 1);
  expect(told(client)).toEqual([]);
  await replica.client().replicaof('127.0.0.1', String(redis.port));
  await untilTold(client, 2);
  expect(dataOf(client)).toEqual([0, 1]);
}, 40_000);

it('delivers nothing that no replica has to a client that reads out of Redis either', async () => {
  const { redis, replica, a, client } = await withReplica({ ringMaxBytes: 0 });
  const began = client.lastEventId;
  await Promise.all(range(0, 20).map((n) => a.sse.publishToAll(n)));
  await untilTold(client, 20);
  await replica.client().replicaof('NO', 'ONE');
  await askUntil(redis.client(), ['INFO', 'replication'], 'connected_slaves:0');
  await expect(a.sse.publishToAll(20)).rejects.toMatchObject(unknown);
  const again = await openStream(`${a.url}/ann`, { lastEventId: began });
  await untilTold(again, 20);
  // It is live now.
  a.sse.sendToUser('ann', 'live');
  await untilTold(again, 21);
  expect(dataOf(again)).toEqual([...range(0, 20), 'live']);
  expect(a.sse.stats().log.resumesFromRedis).toBe(1);
  await replica.client().replicaof('127.0.0.1', String(redis.port));
  await untilTold(again, 22);
  expect(dataOf(again)).toEqual([...range(0, 20), 'live', 20]);
}, 40_000);

it('tells why it is not ready while there is no replica', async () => {
  const redis = await startRedis();
  const a = await logHub(redis.url, { log: { durable: true }, early: true });
  await expect.poll(() => a.errors.length, { timeout: 10_000 }).toBe(1);
  expect(a.errors[0]).toMatchObject({ code: 'BUS_ERROR', message: expect.stringContaining('no replica') });
  expect(a.sse.stats().bus.state).toBe('connecting');
});
