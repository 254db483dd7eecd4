import { setTimeout as wait } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { inForm } from '../helpers/chaos/form.js';
import { expectHarmless, underLoad } from '../helpers/chaos/run.js';
import { type Stage, startStage } from '../helpers/chaos/stage.js';
import { forAll } from '../helpers/cleanup.js';
import { program } from '../helpers/programs.js';

const redis = program('redis-server');
const ROUNDS = inForm({ short: 1, full: 3 });

describe.skipIf(redis.skip)('nobody misses an event', () => {
  let stage: Stage;
  beforeAll(() =>
    forAll(async () => {
      stage = await startStage();
    }),
  );

  it('when each instance in turn is killed', async () => {
    const outcome = await underLoad(stage, {
      fault: '`kill -9` of each instance in turn',
      async strike({ audience }) {
        let moved = 0;
        for (let round = 0; round < ROUNDS; round += 1) {
          for (const instance of stage.instances) {
            const before = audience.reconnects;
            await instance.kill();
            await wait(300);
            await audience.connected();
            expect(audience.reconnects).toBeGreaterThan(before);
            moved += audience.reconnects - before;
            await instance.start();
          }
        }
        return `${ROUNDS * stage.instances.length} instances killed, ${moved} clients moved`;
      },
    });
    expectHarmless(outcome);
  });

  it('when all instances are killed at once', async () => {
    const outcome = await underLoad(stage, {
      fault: '`kill -9` of all instances at once',
      async strike({ audience }) {
        for (let round = 0; round < ROUNDS; round += 1) {
          await Promise.all(stage.instances.map((instance) => instance.kill()));
          expect(await audience.until(({ connected }) => !connected)).toBe(0);
          await wait(500);
          await Promise.all(stage.instances.map((instance) => instance.start()));
          await audience.connected();
        }
        expect(audience.reconnects).toBeGreaterThanOrEqual(ROUNDS * audience.clients.length);
        return `${ROUNDS} times no client was connected, ${audience.reconnects} reconnects`;
      },
    });
    expectHarmless(outcome);
  });

  it('when all instances are replaced one after the other', async () => {
    const outcome = await underLoad(stage, {
      fault: 'rolling restart: SIGTERM and `shutdown` of each instance',
      async strike({ audience }) {
        for (let round = 0; round < ROUNDS; round += 1) {
          for (const instance of stage.instances) {
            await instance.terminate();
            await instance.start();
            await instance.ready();
          }
        }
        await audience.connected();
        expect(audience.reconnects).toBeGreaterThanOrEqual((ROUNDS * audience.clients.length) / 2);
        return `${ROUNDS * stage.instances.length} instances ended by themselves, ${audience.reconnects} reconnects`;
      },
    });
    expectHarmless(outcome);
  });

  it('when an instance stands still for five seconds', async () => {
    const outcome = await underLoad(stage, {
      fault: 'SIGSTOP of an instance for 5 s',
      async strike({ audience }) {
        const [instance] = stage.instances;
        instance?.freeze();
        await wait(5000);
        instance?.thaw();
        const late = ({ latencyMs }: { latencyMs: number }) => latencyMs > 4000;
        const waited = ({ clients }: typeof audience) =>
          clients.filter(({ deliveries }) => deliveries.some(late)).length;
        await expect.poll(() => waited(audience)).toBeGreaterThan(audience.clients.length / 4);
        return `${waited(audience)} clients heard nothing for 4 s and more`;
      },
    });
    expectHarmless(outcome);
  });
});
