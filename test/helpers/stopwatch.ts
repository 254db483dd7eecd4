import { atEnd } from './cleanup.js';

const TICK_MS = 20;

/** Counts milliseconds from now on but for those in which a busy machine, or somebody in it, held this process up. */
export function stopwatch(): () => number {
  let ticks = 0;
  const ticking = setInterval(() => {
    ticks += 1;
  }, TICK_MS);
  atEnd(() => clearInterval(ticking));
  return () => ticks * TICK_MS;
}
