import { AsyncLocalStorage } from 'node:async_hooks';
import { onTestFinished } from 'vitest';

type Run = () => unknown;

/** The clean-ups of what is being set up for more than one test. */
const lasting = new AsyncLocalStorage<Run[]>();

/** Runs at the end of the test, whether it passed or not; the last one registered runs first. */
export function atEnd(run: Run): void {
  const runs = lasting.getStore();
  if (runs !== undefined) {
    runs.push(run);
    return;
  }
  onTestFinished(async () => {
    await run();
  });
}

/**
 * Sets up, in a `beforeAll`, what several tests share: each `atEnd` in it waits until all of them are over.
 *
 * ```ts
 * let redis: RedisServer;
 * beforeAll(() =>
 *   forAll(async () => {
 *     redis = await startRedis();
 *   }),
 * );
 * ```
 *
 * @returns the clean-up, which a `beforeAll` hands on
 */
export async function forAll(setUp: () => Promise<void>): Promise<() => Promise<void>> {
  const runs: Run[] = [];
  const cleanUp = async () => {
    for (const run of runs.reverse()) await run();
  };
  try {
    await lasting.run(runs, setUp);
  } catch (error) {
    await cleanUp();
    throw error;
  }
  return cleanUp;
}
