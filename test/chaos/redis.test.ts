import { setTimeout as wait } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { inForm } from '../helpers/chaos/form.js';
import { expectHarmless, underLoad } from '../helpers/chaos/run.js';
import { type Stage, startStage, withClient } from '../helpers/chaos/stage.js';
import { forAll } from '../helpers/cleanup.js';
import { program } from '../helpers/programs.js';

const redis = program('redis-server');

describe.skipIf(redis.skip)('nobody misses an event', () => {
  let stage: Stage;
  beforeAll(() =>
    forAll(async () => {
      stage = await startStage({ redis: ['--appendonly', 'yes', '--appendfsync', 'always'] });
    }),
  );

  it('when the connections that read the log are killed again and again', async () => {
    const outcome = await underLoad(stage, {
      fault: '`CLIENT KILL` of all tails every 300 ms',
      strike: () =>
        withClient(stage.redis, async (client) => {
          const rounds = inForm({ short: 10, full: 60 });
          let killed = 0;
          for (let round = 0; round < rounds; round += 1) {
            const list = String(await client.call('CLIENT', 'LIST'));
            const tails = list.split('\n').filter((line) => /\bcmd=xread\b/.test(line));
            for (const [, id = ''] of tails.map((line) => /\bid=(\d+)/.exec(line) ?? []))
              killed += Number(await client.call('CLIENT', 'KILL', 'ID', id));
            await wait(300);
          }
          expect(killed).toBeGreaterThan(rounds);
          return `${killed} tails killed`;
        }),
    });
    expectHarmless(outcome);
  });

  it('when all connections to Redis are killed again and again', async () => {
    const outcome = await underLoad(stage, {
      fault: '`CLIENT KILL` of all connections to Redis every 300 ms',
      strike: () =>
        withClient(stage.redis, async (client) => {
          const rounds = inForm({ short: 8, full: 60 });
          let killed = 0;
          for (let round = 0; round < rounds; round += 1) {
            killed += Number(await client.call('CLIENT', 'KILL', 'TYPE', 'normal'));
            await wait(300);
          }
          // Each of five processes has two.
          expect(killed).toBeGreaterThan(5 * rounds);
          return `${killed} connections killed`;
        }),
    });
    expectHarmless(outcome);
    expect(outcome.publications.filter(({ attempts }) => attempts > 1).length).toBeGreaterThan(0);
  });

  it('when Redis is killed, and comes back with what it had acknowledged', async () => {
    const outcome = await underLoad(stage, {
      fault: '`kill -9` of Redis, restarted with AOF `always`',
      async strike({ audience }) {
        const recoveriesMs: number[] = [];
        const rounds = inForm({ short: 1, full: 5 });
        for (let round = 0; round < rounds; round += 1) {
          const { pid } = stage.redis;
          await stage.redis.kill();
          await wait(500);
          await stage.redis.start();
          expect(stage.redis.pid).not.toBe(pid);
          const backAt = Date.now();
          await audience.until(({ deliveries }) => (deliveries.at(-1)?.at ?? 0) > backAt);
          recoveriesMs.push(Date.now() - backAt);
          await wait(1000);
        }
        const recoveryMs = Math.max(...recoveriesMs);
        // A bar of 2 s is for the full form, which prints it; here the machine is anybody's.
        expect(recoveryMs).toBeLessThan(inForm({ short: 15_000, full: 2000 }));
        return `${rounds} times killed; the last client heard of new events ${recoveryMs} ms after Redis was back`;
      },
    });
    expectHarmless(outcome);
    expect(outcome.publications.filter(({ attempts }) => attempts > 1).length).toBeGreaterThan(10);
  });

  it('when Redis answers nobody for four seconds', async () => {
    const outcome = await underLoad(stage, {
      fault: '`DEBUG SLEEP 4`',
      strike: () =>
        withClient(stage.redis, async (client) => {
          const at = performance.now();
          await client.call('DEBUG', 'SLEEP', '4');
          const tookMs = performance.now() - at;
          expect(tookMs).toBeGreaterThan(3900);
          return `${Math.round(tookMs)} ms without an answer`;
        }),
    });
    expectHarmless(outcome);
  });
});
