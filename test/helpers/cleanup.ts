import { onTestFinished } from 'vitest';

/** Runs at the end of the test, whether it passed or not; the last one registered runs first. */
export function atEnd(run: () => unknown): void {
  onTestFinished(async () => {
    await run();
  });
}
