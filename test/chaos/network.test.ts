import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { inForm } from '../helpers/chaos/form.js';
import { expectHarmless, underLoad } from '../helpers/chaos/run.js';
import { startStageAt } from '../helpers/chaos/stage.js';
import { program } from '../helpers/programs.js';
import { startProxy } from '../helpers/proxy.js';
import { startRedis } from '../helpers/redis.js';

const redis = program('redis-server');

describe.skipIf(redis.skip)('nobody misses an event', () => {
  it('when the network between one instance and Redis swallows all', async () => {
    const server = await startRedis();
    const proxy = await startProxy(server.port);
    const stage = await startStageAt(server, server.url, {
      instance: (n) => (n === 0 ? { target: proxy.url } : {}),
    });
    const holeMs = inForm({ short: 5000, full: 20_000 });
    const outcome = await underLoad(stage, {
      fault: `a black hole between one instance and Redis for ${holeMs / 1000} s`,
      async strike({ audience }) {
        proxy.blackhole();
        await wait(holeMs);
        proxy.heal();
        const late = ({ latencyMs }: { latencyMs: number }) => latencyMs > holeMs - 1000;
        const waited = () => audience.clients.filter(({ deliveries }) => deliveries.some(late)).length;
        await expect.poll(waited, { timeout: 10_000 }).toBeGreaterThan(audience.clients.length / 4);
        return `${waited()} clients heard nothing for ${holeMs / 1000 - 1} s and more`;
      },
    });
    expectHarmless(outcome);
  });

  it('when the network to Redis holds everything back, and brings it late', async () => {
    const server = await startRedis();
    const proxy = await startProxy(server.port);
    const stage = await startStageAt(server, proxy.url, {});
    // Longer than a publish waits for its answer.
    const holdMs = inForm({ short: 5400, full: 15_000 });
    const outcome = await underLoad(stage, {
      fault: `the network to Redis held back for ${holdMs / 1000} s, then all of it late`,
      async strike() {
        proxy.hold();
        await wait(holdMs);
        proxy.release();
        const reports = await Promise.all(stage.publishers.map((publisher) => publisher.report()));
        const unanswered = reports.reduce((sum, { stats }) => sum + stats.bus.unanswered, 0);
        expect(unanswered).toBeGreaterThan(10);
        return `${unanswered} publishes without an answer in time`;
      },
    });
    expectHarmless(outcome);
  });
});
