import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { Audience } from '../helpers/chaos/audience.js';
import { inForm } from '../helpers/chaos/form.js';
import { expectHarmless, expectWhole, underLoad } from '../helpers/chaos/run.js';
import { LOG, type Stage, startStage, withClient } from '../helpers/chaos/stage.js';
import { program } from '../helpers/programs.js';
import { randomFrom } from '../helpers/stall.js';

const redis = program('redis-server');
const SECONDS = inForm({ short: 3, full: 90 });

const SEED = Number(process.env.SSEKIFY_CHAOS_SEED ?? 1);

type Fault = () => Promise<unknown>;

/** What can happen, by where it happens: in each place one thing at a time, in all places at once. */
function faults(stage: Stage, audience: Audience, random: () => number): Fault[][] {
  const some = <Item>(items: readonly Item[]): Item => {
    const item = items[Math.floor(random() * items.length)];
    if (item === undefined) throw new Error('nothing to choose from');
    return item;
  };
  const atRedis = (...command: [string, ...string[]]) => withClient(stage.redis, (client) => client.call(...command));
  return [
    [
      async () => {
        const instance = some(stage.instances);
        await instance.kill();
        await instance.start();
      },
      async () => {
        const instance = some(stage.instances);
        await instance.terminate();
        await instance.start();
      },
      async () => {
        const instance = some(stage.instances);
        instance.freeze();
        await wait(random() * 1500);
        instance.thaw();
      },
    ],
    [
      () => atRedis('CLIENT', 'KILL', 'TYPE', 'normal'),
      () => atRedis('DEBUG', 'SLEEP', String(random())),
      async () => {
        await stage.redis.kill();
        await wait(random() * 500);
        await stage.redis.start();
      },
    ],
    [
      async () => {
        for (const client of audience.clients) if (random() < 0.5) client.drop();
      },
    ],
  ];
}

const patience = { timeout: SECONDS * 1000 + 100_000 };
const STAGE = { redis: ['--appendonly', 'yes', '--appendfsync', 'always'] };

/** Lets everything happen, in each place one thing after the other. */
async function rage(choices: Fault[][], audience: Audience, random: () => number): Promise<string> {
  const end = performance.now() + SECONDS * 1000;
  let struck = 0;
  const places = choices.map(async (faults) => {
    while (performance.now() < end) {
      await faults[Math.floor(random() * faults.length)]?.();
      struck += 1;
      await wait(random() * 1000);
    }
  });
  await Promise.all(places);
  expect(struck).toBeGreaterThan(SECONDS);
  return `${struck} faults, ${audience.reconnects} reconnects`;
}

describe.skipIf(redis.skip)('when all of this happens at once', () => {
  it('nobody misses an event', patience, async () => {
    const stage = await startStage(STAGE);
    const random = randomFrom(SEED);
    const outcome = await underLoad(stage, {
      fault: `all of this at random for ${SECONDS} s`,
      strike: ({ audience }) => rage(faults(stage, audience, random), audience, random),
    });
    expectHarmless(outcome);
  });

  it('and the log is lost now and then, nobody misses an event without being told', patience, async () => {
    // So little in memory that most who come back are served from Redis.
    const stage = await startStage({ ...STAGE, log: { ringMaxBytes: 50_000 } });
    const random = randomFrom(SEED);
    const wipes: Fault[] = [['FLUSHALL'], ['DEL', LOG]].map((command) => async () => {
      await wait(1000);
      await withClient(stage.redis, (client) => client.call(command[0] ?? '', ...command.slice(1)));
    });
    const { verdict } = await underLoad(stage, {
      fault: `all of this and lost logs at random for ${SECONDS} s`,
      required: () => false,
      strike: ({ audience }) => rage([...faults(stage, audience, random), wipes], audience, random),
    });
    expectWhole(verdict);
    expect(verdict.gaps).toBeGreaterThanOrEqual(verdict.clients);
  });
});
