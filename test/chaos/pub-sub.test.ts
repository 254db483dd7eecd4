import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { underLoad } from '../helpers/chaos/run.js';
import { startStage, withClient } from '../helpers/chaos/stage.js';
import { program } from '../helpers/programs.js';

const redis = program('redis-server');

describe.skipIf(redis.skip)('the harness', () => {
  it('sees what the Pub/Sub mode loses when its subscriptions are killed', async () => {
    const stage = await startStage({ mode: 'channel' });
    const { verdict } = await underLoad(stage, {
      fault: 'harness check: the Pub/Sub mode, subscriptions killed (`CLIENT KILL`)',
      strike: () =>
        withClient(stage.redis, async (client) => {
          let killed = 0;
          for (let round = 0; round < 5; round += 1) {
            killed += Number(await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub'));
            await wait(300);
          }
          expect(killed).toBeGreaterThan(10);
          return `${killed} subscriptions killed`;
        }),
    });
    expect(verdict.lost).toBeGreaterThan(100);
    expect(verdict).toMatchObject({ duplicated: 0, outOfOrder: 0 });
  });
});
