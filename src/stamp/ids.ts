import { randomBytes, randomInt } from 'node:crypto';

const ALPHABET = '0123456789abcdefghijklmnopqrstuvwxyz';

/** Ten characters of a-z and 0-9, 51 bits: what tells one instance, and each of its restarts, from all others. */
export function createInstanceId(): string {
  return Array.from(randomBytes(10), (byte) => ALPHABET[byte % 36]).join('');
}

/** Makes an automatic id. @param now - the wall clock, read once for all that an event needs it for */
export type NewId = (now: number) => string | undefined;

/** `<epochMs>-<instanceId>-<counter>`: both numbers never go back, so a clock that steps back changes nothing. */
export function timestampIds(instanceId: string): (now: number) => string {
  let lastMs = Number.NEGATIVE_INFINITY;
  let prefix = '';
  let counter = 0;
  return (now) => {
    if (now > lastMs) {
      lastMs = now;
      prefix = `${now}-${instanceId}-`;
    }
    counter += 1;
    return `${prefix}${counter}`;
  };
}

/** 2024-01-01T00:00:00Z; 41 bits of milliseconds from here last until 2093. */
const SNOWFLAKE_EPOCH_MS = 1_704_067_200_000;
const PER_MS = 4096;

/**
 * Decimal 64-bit ids: 41 bits of milliseconds, 10 of node, 12 of counter, as Twitter announced them in 2010. When one
 * millisecond's 4096 are used up, or the clock steps back, the next ids borrow from the future.
 */
export function snowflakeIds(nodeId = randomInt(1024)): (now: number) => string {
  const node = BigInt(nodeId) << 12n;
  let lastMs = 0;
  let counter = 0;
  return (epochMs) => {
    const now = epochMs - SNOWFLAKE_EPOCH_MS;
    if (now > lastMs) {
      lastMs = now;
      counter = 0;
    } else {
      counter += 1;
      if (counter === PER_MS) {
        lastMs += 1;
        counter = 0;
      }
    }
    return String((BigInt(lastMs) << 22n) | node | BigInt(counter));
  };
}
