import { hasMethods } from '../checks.js';

/** Counters in Redis; what `incr`, `expire` and `pexpire` of any client do. */
export interface KeyValue {
  /** Adds one to the counter and resolves with the sum; a key that is not there counts as 0. */
  incr(key: string): Promise<number>;
  /** Lets the key expire after so many seconds. */
  expire(key: string, seconds: number): Promise<unknown>;
  /** Lets the key expire after so many milliseconds; without it `expire` is used, rounded up. */
  pexpire?(key: string, milliseconds: number): Promise<unknown>;
}

/** Whether a value has the shape of a counter store. */
export function isKeyValue(value: unknown): value is KeyValue {
  return hasMethods(value, ['incr', 'expire']);
}
