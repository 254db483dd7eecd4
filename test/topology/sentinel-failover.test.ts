import { describe, expect, it } from 'vitest';
import { numbers, publish, upTo } from '../helpers/numbered.js';
import { program } from '../helpers/programs.js';
import { startSentinels } from '../helpers/sentinel.js';
import { hubAt, roleOf, targets } from '../helpers/sentinel-hub.js';

const redis = program('redis-server');
const PATIENCE = { timeout: 40_000, interval: 20 };

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
});
