import { setImmediate as nextTurn } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import { describe, expect, it } from 'vitest';
import { createIORedisAdapter, type IORedisTarget } from '../../src/index.js';
import { atEnd } from '../helpers/cleanup.js';
import { openStream, type StreamClient } from '../helpers/client.js';
import { collect } from '../helpers/emitted.js';
import { program } from '../helpers/programs.js';
import type { RedisServer } from '../helpers/redis.js';
import { ANOTHER, type SentinelTopology, startSentinels } from '../helpers/sentinel.js';
import { serveHub, type TestHub } from '../helpers/server.js';

const redis = program('redis-server');
const PATIENCE = { timeout: 40_000, interval: 20 };

/** The three ways to say where the sentinels are. */
const targets: [string, (topology: SentinelTopology) => IORedisTarget][] = [
  ['options', ({ sentinels, name }) => ({ sentinels, name })],
  [
    'a client of ioredis 6',
    ({ sentinels, name }) => clientOf(new Redis({ sentinels: [...sentinels], name, lazyConnect: true })),
  ],
  [
    'a client of ioredis 5',
    ({ sentinels, name }) => clientOf(new Redis5({ sentinels: [...sentinels], name, lazyConnect: true })),
  ],
];

function clientOf<Client extends Redis | Redis5>(client: Client): Client {
  atEnd(() => client.disconnect());
  return client;
}

async function hubAt(target: IORedisTarget) {
  const hub = await serveHub({ hub: { redis: createIORedisAdapter(target) } });
  const errors = collect(hub.sse, 'error');
  await hub.sse.ready();
  return { ...hub, errors, stream: await openStream(`${hub.url}/ann`) };
}

const publish = ({ sse }: TestHub) => sse.publishToUser('ann', { requestId: 'one' });

const roleOf = async (server: RedisServer) => (await server.client().role())[0];

const numbers = ({ events }: StreamClient): number[] => events.map(({ data }) => JSON.parse(data).seq);

const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);

describe.skipIf(redis.skip)('with Redis Sentinel', { timeout: 100_000 }, () => {
  it.each(targets)('goes on at the replica when the primary dies, given %s', async (_given, targetOf) => {
    const topology = await startSentinels();
    const a = await hubAt(targetOf(topology));
    const b = await hubAt(targetOf(topology));
    for (let n = 0; n < 10; n += 1) await publish(n % 2 === 0 ? a : b);
    await Promise.all([a.stream.received(10), b.stream.received(10)]);
    await topology.primary.kill();
    await expect.poll(() => [a, b].map(({ sse }) => sse.stats().bus.outages), PATIENCE).toEqual([1, 1]);
    expect(a.errors.map(({ code }) => code)).toContain('BUS_DOWN');
    const { id } = await a.sse.publishToUser('ann', 'meanwhile').catch((error) => error);
    await Promise.all([a.sse.ready(), b.sse.ready()]);
    // The connections that publish are back in their own time, and a retry with the same id is safe.
    for (const { sse } of [a, b]) {
      const retry = () => sse.publishToUser('ann', 'meanwhile', { id }).then(() => 'taken', String);
      await expect.poll(retry, PATIENCE).toBe('taken');
    }
    for (let n = 10; n < 20; n += 1) await publish(n % 2 === 0 ? a : b);
    await Promise.all([a.stream.received(21), b.stream.received(21)]);
    for (const { stream, sse } of [a, b]) {
      expect(stream.events.filter(({ data }) => data === '"meanwhile"').map((event) => event.id)).toEqual([id]);
      expect(numbers(stream).filter((seq) => seq !== undefined)).toEqual(upTo(20));
      expect(sse.stats().bus).toMatchObject({ state: 'up', pending: 0, outages: 1 });
    }
    expect(await roleOf(topology.replica)).toBe('master');
  });

  it('stays with the new primary when a sentinel tells late, and when another primary is replaced', async () => {
    const topology = await startSentinels();
    const { primary, sentinels, name } = topology;
    const hub = await hubAt({ sentinels, name });
    const told: string[] = [];
    const last = clientOf(new Redis({ ...sentinels.at(-1) }));
    last.on('message', (_channel, message) => told.push(message.split(' ', 1).join()));
    await last.subscribe('+switch-master');
    const goOn = topology.silenceOne();
    await primary.kill();
    await expect.poll(() => hub.sse.stats().bus, PATIENCE).toMatchObject({ outages: 1, state: 'up' });
    expect(told).toEqual([]);
    goOn();
    await expect.poll(() => told, PATIENCE).toEqual([name]);
    await topology.replaceAnother();
    await expect.poll(() => told, PATIENCE).toEqual([name, ANOTHER]);
    await expect.poll(() => publish(hub).then(() => 'taken', String), PATIENCE).toBe('taken');
    await hub.stream.received(1);
    expect(hub.sse.stats().bus).toMatchObject({ state: 'up', outages: 1 });
  });

  it('keeps no connection when it is closed while it connects', async () => {
    const topology = await startSentinels();
    for (const [, targetOf] of targets) {
      const target = targetOf(topology);
      for (let afterMs = 0; afterMs < 20; afterMs += 0.5) {
        const adapter = createIORedisAdapter(target);
        // Many turns of the event loop in a millisecond: a timer would be too coarse to hit each step of connecting.
        const late = performance.now() + afterMs;
        while (performance.now() < late) await nextTurn();
        await adapter.close();
      }
    }
    for (const { host, port } of topology.sentinels) {
      const sentinel = clientOf(new Redis(port, host));
      await expect.poll(() => sentinel.call('CLIENT', 'LIST', 'TYPE', 'pubsub'), PATIENCE).toBe('');
    }
  });

  it('leaves a primary that hangs as soon as the sentinels have replaced it', async () => {
    const topology = await startSentinels();
    const hub = await hubAt({ sentinels: topology.sentinels, name: topology.name });
    await publish(hub);
    const hung = await topology.primary.client().info('server');
    process.kill(Number(/process_id:(\d+)/.exec(hung)?.[1]), 'SIGSTOP');
    await expect.poll(() => hub.sse.stats().bus, PATIENCE).toMatchObject({ outages: 1, state: 'up' });
    expect(await roleOf(topology.replica)).toBe('master');
    await publish(hub);
    await hub.stream.received(2);
    expect(numbers(hub.stream)).toEqual([0, 1]);
  });
});
