import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { askUntil } from '../helpers/ask-until.js';
import { expectHarmless, underLoad } from '../helpers/chaos/run.js';
import { startStageAt } from '../helpers/chaos/stage.js';
import { program } from '../helpers/programs.js';
import { startSentinels } from '../helpers/sentinel.js';

const redis = program('redis-server');

describe.skipIf(redis.skip)('with Redis Sentinel and `durable`', () => {
  it('nobody misses what was acknowledged when the primary dies after its replica was detached', async () => {
    const { primary, replica, sentinels, name } = await startSentinels();
    const stage = await startStageAt(primary, { sentinels, name }, { log: { durable: true } });
    const outcome = await underLoad(stage, {
      fault: 'Sentinel failover, `durable: true`, the replica detached before the kill',
      async strike({ audience }) {
        const [first, second] = [primary.client(), replica.client()];
        const { pid = 0 } = replica;
        // A replica that stands still takes in nothing more once its connection is gone.
        process.kill(pid, 'SIGSTOP');
        await first.call('CLIENT', 'KILL', 'TYPE', 'replica');
        await askUntil(first, ['INFO', 'replication'], 'connected_slaves:0');
        await wait(1000);
        await primary.kill();
        process.kill(pid, 'SIGCONT');
        const at = Date.now();
        await askUntil(second, ['ROLE'], 'master');
        const replacedAt = Date.now();
        // What is to be durable needs a replica again: here the old primary becomes one.
        await primary.start();
        await primary.client().replicaof('127.0.0.1', replica.port);
        expect(await audience.until(({ deliveries }) => (deliveries.at(-1)?.at ?? 0) > replacedAt)).toBe(0);
        return `replaced after ${replacedAt - at} ms, every client heard of new events ${Date.now() - replacedAt} ms later`;
      },
    });
    const again = outcome.publications.filter(({ attempts }) => attempts > 1);
    expect(again.length).toBeGreaterThan(100);
    expectHarmless(outcome);
  });
});
