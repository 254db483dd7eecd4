import { setTimeout as wait } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { inForm } from '../helpers/chaos/form.js';
import { percentile } from '../helpers/chaos/percentile.js';
import { expectHarmless, underLoad } from '../helpers/chaos/run.js';
import { type Stage, startStage } from '../helpers/chaos/stage.js';
import { forAll } from '../helpers/cleanup.js';
import { program } from '../helpers/programs.js';
import { randomFrom } from '../helpers/stall.js';

const redis = program('redis-server');

describe.skipIf(redis.skip)('nobody misses an event', () => {
  let stage: Stage;
  beforeAll(() =>
    forAll(async () => {
      stage = await startStage();
    }),
  );

  it('when half of the clients reconnect every 120 ms', async () => {
    const outcome = await underLoad(stage, {
      fault: 'half of the clients reconnecting every 120 ms',
      async strike({ audience }) {
        const restless = audience.clients.filter((_client, n) => n % 2 === 0);
        const rounds = inForm({ short: 12, full: 150 });
        for (let round = 0; round < rounds; round += 1) {
          for (const client of restless) client.drop();
          await wait(120);
        }
        await audience.connected();
        expect(audience.reconnects).toBeGreaterThan((restless.length * rounds) / 4);
        return `${audience.reconnects} reconnects`;
      },
    });
    expectHarmless(outcome);
  });

  it.each([
    { count: 1000, where: 'a cold instance', log: {}, fromRedis: 0 },
    // Enough for a second and a half of the load.
    { count: 200, where: 'a cold instance with little memory', log: { ringMaxBytes: 300_000 }, fromRedis: 50 },
  ])('when $count clients come to $where, each from another position', async ({ count, where, log, fromRedis }) => {
    const random = randomFrom(7);
    const stage = await startStage({ log });
    const outcome = await underLoad(stage, {
      fault: `${count.toLocaleString('en-US')} clients with random positions on ${where}`,
      clients: 60,
      async strike({ audience }) {
        await wait(inForm({ short: 2000, full: 10_000 }));
        const positions = audience.clients.flatMap(({ deliveries }) => deliveries.flatMap(({ id }) => id ?? []));
        const [instance] = stage.instances;
        if (instance === undefined) throw new Error('no instance');
        await instance.kill();
        await instance.start();
        audience.add(count, [instance.port], () => ({
          lastEventId: positions[Math.floor(random() * positions.length)] ?? '',
        }));
        await audience.connected();
        // Everybody has what it missed, and is told of what comes.
        const now = Date.now();
        expect(
          await audience.until(({ deliveries }) => deliveries.some(({ at, latencyMs }) => at - latencyMs > now)),
        ).toBe(0);
        const { stats } = await instance.report();
        const resumed = stats.log?.resumesFromRedis ?? Number.NaN;
        if (fromRedis === 0) expect(resumed).toBe(0);
        else expect(resumed).toBeGreaterThan(fromRedis);
        return `${new Set(positions).size} positions to choose from, ${resumed} resumed from Redis`;
      },
    });
    expectHarmless(outcome);
  });

  it('when one of three instances dies under a thousand clients, which are soon back', async () => {
    const outcome = await underLoad(stage, {
      fault: '`kill -9` of one of three instances under 1,000 clients',
      clients: 1000,
      async strike({ audience }) {
        const [instance] = stage.instances;
        await instance?.kill();
        await wait(1000);
        await audience.connected();
        const backMs = audience.clients.flatMap(({ reconnectsMs }) => reconnectsMs);
        expect(backMs.length).toBeGreaterThan(300);
        await instance?.start();
        const p99 = percentile(backMs, 0.99);
        // A bar of 2 s is for the full form, which prints it; here the machine is anybody's.
        expect(p99).toBeLessThan(inForm({ short: 15_000, full: 2000 }));
        return `${backMs.length} reconnects, p99 ${Math.round(p99)} ms`;
      },
    });
    expectHarmless(outcome);
  });
});
