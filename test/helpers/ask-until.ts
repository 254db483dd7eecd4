import { setTimeout as wait } from 'node:timers/promises';
import type { Redis } from 'ioredis';

/** How long servers may take to find each other, or to replace one, on a machine that is busy. */
const PATIENCE_MS = 40_000;

/** Asks a server until its answer has this text: of changes among servers it tells nobody by itself. */
export async function askUntil(client: Redis, [command = '', ...args]: readonly string[], text: string): Promise<void> {
  const late = performance.now() + PATIENCE_MS;
  let answer = '';
  while (performance.now() < late) {
    answer = String(await client.call(command, ...args));
    if (answer.includes(text)) return;
    await wait(50);
  }
  throw new Error(`no ${text} in time, but:\n${answer}`);
}
