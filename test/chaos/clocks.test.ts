import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import { expectHarmless, type Run, underLoad } from '../helpers/chaos/run.js';
import { LOG, type Stage, startStage, startStageAt, withClient } from '../helpers/chaos/stage.js';
import { program } from '../helpers/programs.js';
import { startRedis } from '../helpers/redis.js';

const redis = program('redis-server');
const TEN_MINUTES_MS = 600_000;

/** Every client goes through all instances, one of which dies meanwhile. */
const moveAround =
  (stage: Stage): Run['strike'] =>
  async ({ audience }) => {
    for (let move = 0; move < 4; move += 1) {
      for (const client of audience.clients) client.drop();
      await audience.connected();
      await wait(200);
    }
    await stage.instances[2]?.kill();
    await wait(200);
    await stage.instances[2]?.start();
    await audience.connected();
    expect(audience.reconnects).toBeGreaterThan(3 * audience.clients.length);
    return `${audience.reconnects} reconnects`;
  };

describe.skipIf(redis.skip)('nobody misses an event', () => {
  it('when the clock of one instance is an hour ahead', async () => {
    const stage = await startStage({ instance: (n) => (n === 1 ? { preload: ['hour-ahead.js'] } : {}) });
    const clocks = await Promise.all(stage.instances.map((instance) => instance.now()));
    expect(clocks.map((clock) => clock - Date.now() > 3_500_000)).toEqual([false, true, false]);
    const outcome = await underLoad(stage, {
      fault: 'the clock of one instance an hour ahead',
      strike: moveAround(stage),
    });
    expectHarmless(outcome);
  });

  it('when the last id of the log is ten minutes ahead', async () => {
    const server = await startRedis();
    const envelope = JSON.stringify({ v: 1, type: 'user', target: 'nobody', data: 'from the future' });
    await withClient(server, (client) => client.xadd(LOG, `${Date.now() + TEN_MINUTES_MS}-0`, 'm', envelope));
    const stage = await startStageAt(server, server.url, {});
    const outcome = await underLoad(stage, {
      fault: 'the last id of the log ten minutes ahead',
      strike: moveAround(stage),
    });
    expectHarmless(outcome);
    for (const { id = '' } of outcome.publications)
      expect(Number(id.split('-')[0])).toBeGreaterThan(Date.now() + TEN_MINUTES_MS - 60_000);
  });
});
