import { setTimeout as wait } from 'node:timers/promises';
import { describe, expect, it } from 'vitest';
import type { ChaosClient } from '../helpers/chaos/client.js';
import { inForm } from '../helpers/chaos/form.js';
import { percentile } from '../helpers/chaos/percentile.js';
import { expectHarmless, underLoad } from '../helpers/chaos/run.js';
import { startStage } from '../helpers/chaos/stage.js';
import { program } from '../helpers/programs.js';

const redis = program('redis-server');
const READERS = 50;
const ROOM = 'large';
const EVENT_BYTES = 65_536;
/** The kernel holds some 4 MB for a client that does not read. */
const EVENTS = 120;
const MEASURE_MS = inForm({ short: 2000, full: 20_000 });

/** The p99 of each second, of which the middle one counts: what else the machine does now and then is not the readers'. */
function p99(clients: readonly ChaosClient[], from: number, to: number): number {
  const seconds = new Map<number, number[]>();
  for (const { at, latencyMs } of clients.flatMap(({ deliveries }) => deliveries)) {
    if (at < from || at >= to) continue;
    const second = Math.floor((at - from) / 1000);
    const latencies = seconds.get(second);
    if (latencies === undefined) seconds.set(second, [latencyMs]);
    else latencies.push(latencyMs);
  }
  const each = [...seconds.values()].map((latencies) => percentile(latencies, 0.99));
  return percentile(each, 0.5);
}

describe.skipIf(redis.skip)('clients that read 1 KB a second', () => {
  it('slow nobody down, and lose nothing', async () => {
    const stage = await startStage();
    let grownMs = Number.NaN;
    const outcome = await underLoad(stage, {
      fault: `${READERS} readers at 1 KB/s beside the rest`,
      async strike({ audience }) {
        const others = [...audience.clients];
        const [publisher] = stage.publishers;
        /** Large events, evenly over the time of a measurement. */
        const measure = async (): Promise<number> => {
          const from = Date.now();
          for (let n = 0; n < EVENTS; n += 4) {
            await publisher?.burst({ kind: 'room', target: ROOM }, 4, EVENT_BYTES);
            await wait((MEASURE_MS / EVENTS) * 4);
          }
          return p99(others, from, Date.now());
        };
        const before = await measure();
        const slow = audience.add(READERS, stage.ports, () => ({ rooms: [ROOM], bytesPerSecond: 1024 }));
        await audience.connected();
        const after = await measure();
        grownMs = after - before;
        const behind = slow.filter(({ deliveries }) => deliveries.length < EVENTS / 2).length;
        expect(behind).toBe(READERS);
        const reports = await Promise.all(stage.instances.map((instance) => instance.report()));
        expect(reports.reduce((sum, { stats }) => sum + stats.log.leftBehind, 0)).toBe(READERS);
        for (const client of slow) client.hurry();
        return `${behind} were left behind; others’ p99 ${Math.round(before)} ms before, ${Math.round(after)} ms with them`;
      },
    });
    expectHarmless(outcome);
    // 50 ms is for the full form, which prints it; here the machine is anybody's.
    expect(grownMs).toBeLessThan(inForm({ short: 1000, full: 50 }));
  });
});
