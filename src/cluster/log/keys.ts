import { slotKey } from '../script.js';

/** The names of a log's keys, all in one slot of a Cluster. */
export interface LogKeys {
  log: string;
  count: string;
  tick: string;
  fence: string;
  once(key: string): string;
  /** A counter of sequence numbers. */
  counter(name: string): string;
}

export function logKeys(channel: string): LogKeys {
  return {
    log: slotKey(channel, 'log'),
    count: slotKey(channel, 'count'),
    tick: slotKey(channel, 'tick'),
    fence: slotKey(channel, 'fence'),
    // Halves of surrogate pairs would all become one character on the way to Redis.
    once: (key) => slotKey(channel, `once:${JSON.stringify(key).slice(1, -1)}`),
    counter: (name) => slotKey(channel, name),
  };
}
