import { setTimeout as wait } from 'node:timers/promises';
import type { SSEKify } from '../../src/index.js';

const MEGABYTE = 'x'.repeat(1024 * 1024);

/** The end of this turn of the event loop, when what was sent in it has been written. */
export function turn(): Promise<void> {
  return new Promise((resolve) => setImmediate(resolve));
}

/** Sends a user who does not read more than the kernel's buffers hold, so that the connection is stalled afterwards. */
export async function stall(sse: SSEKify, userId: string, megabytes = 16): Promise<void> {
  for (let n = 0; n < megabytes; n += 1) sse.sendToUser(userId, MEGABYTE, { event: 'filler', text: true });
  await turn();
  await turn();
}

/** Resolves when a number has not changed for a while: its owner waits for something that does not come. */
export async function standsStill(read: () => number): Promise<void> {
  for (let before = Number.NaN; before !== read(); ) {
    before = read();
    await wait(300);
  }
}

export const STALL_HUB = { maxPayloadBytes: 0, recentBufferSize: 0 };

/** A generator of equal chances, the same for the same seed. */
export function randomFrom(seed: number): () => number {
  let state = seed;
  return () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return state / 2 ** 32;
  };
}
