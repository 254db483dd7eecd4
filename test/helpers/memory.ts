import { setFlagsFromString } from 'node:v8';
import { runInNewContext } from 'node:vm';

setFlagsFromString('--expose-gc');
const collectGarbage: () => void = runInNewContext('gc');

/** Bytes that are in use, garbage left out. */
export function usedBytes(): number {
  collectGarbage();
  collectGarbage();
  const { heapUsed, external } = process.memoryUsage();
  return heapUsed + external;
}

/** Bytes that are in use after `run` and were not before, garbage left out. */
export function heapGrowth(run: () => void): number {
  const before = usedBytes();
  run();
  return usedBytes() - before;
}
