import { setTimeout as wait } from 'node:timers/promises';
import { beforeAll, describe, expect, it } from 'vitest';
import { inForm } from '../helpers/chaos/form.js';
import type { Publication } from '../helpers/chaos/publisher.js';
import { expectWhole, underLoad } from '../helpers/chaos/run.js';
import { LOG, type Stage, startStage, withClient } from '../helpers/chaos/stage.js';
import { forAll } from '../helpers/cleanup.js';
import { program } from '../helpers/programs.js';

const redis = program('redis-server');

/** What has been acknowledged for so long must have been heard when the log is lost. */
const HEARD_WITHIN_MS = inForm({ short: 700, full: 2000 });

describe.skipIf(redis.skip)('every client is told once that the log is gone', () => {
  let stage: Stage;
  beforeAll(() =>
    forAll(async () => {
      stage = await startStage();
    }),
  );

  const atRedis = (command: string, ...args: string[]) =>
    withClient(stage.redis, (client) => client.call(command, ...args));

  it.each<[string, () => Promise<unknown>]>([
    ['`FLUSHALL`', () => atRedis('FLUSHALL')],
    ['log deleted', () => atRedis('DEL', LOG)],
    [
      'Redis restarted empty',
      async () => {
        await stage.redis.kill();
        await stage.redis.start();
      },
    ],
    [
      'Redis restarted empty, and all instances with it',
      async () => {
        await Promise.all([stage.redis, ...stage.instances].map((each) => each.kill()));
        await stage.redis.start();
        await Promise.all(stage.instances.map((instance) => instance.start()));
      },
    ],
    // The last one: what is saved would be there again.
    [
      'Redis restarted from an older snapshot',
      async () => {
        await atRedis('SAVE');
        await wait(1000);
        await stage.redis.kill();
        await stage.redis.start();
      },
    ],
  ])('%s', async (fault, wipe) => {
    let from = Number.NaN;
    let to = Number.NaN;
    // Between the two, an event may be in the log before or in the one after.
    const required = ({ calledAt, acknowledgedAt = 0 }: Publication) =>
      calledAt > to || acknowledgedAt < from - HEARD_WITHIN_MS;
    const { verdict, audience } = await underLoad(stage, {
      fault,
      required,
      async strike() {
        await wait(HEARD_WITHIN_MS);
        const events = await withClient(stage.redis, (client) => client.xlen(LOG));
        expect(events).toBeGreaterThan(100);
        from = Date.now();
        await wipe();
        to = Date.now();
        return `${events} entries were in the log`;
      },
    });
    expectWhole(verdict);
    const told = audience.clients.map(({ gaps }) => gaps.map(({ reason }) => reason).join(', '));
    expect(told.filter((reasons) => reasons !== 'reset')).toEqual([]);
  });
});
