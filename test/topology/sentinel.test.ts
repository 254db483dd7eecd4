import { setImmediate as nextTurn } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { createIORedisAdapter } from '../../src/index.js';
import { numbers, publish } from '../helpers/numbered.js';
import { program } from '../helpers/programs.js';
import { ANOTHER, startSentinels } from '../helpers/sentinel.js';
import { clientOf, hubAt, roleOf, targets } from '../helpers/sentinel-hub.js';

const redis = program('redis-server');
const PATIENCE = { timeout: 40_000, interval: 20 };

describe.skipIf(redis.skip)('with Redis Sentinel', { timeout: 100_000 }, () => {
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

  it('goes to the primary also by a client that reads from replicas', async () => {
    const { sentinels, name } = await startSentinels();
    const reader = clientOf(new Redis({ sentinels: [...sentinels], name, role: 'slave', lazyConnect: true }));
    const [hub, other] = [await hubAt(reader), await hubAt({ sentinels, name })];
    await hub.sse.publishToUser('ann', 'not numbered');
    await publish(hub);
    await other.stream.received(2);
    expect(hub.errors).toEqual([]);
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
