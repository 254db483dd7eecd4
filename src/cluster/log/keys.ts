import { createHash } from 'node:crypto';
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
  /**
   * What the ids of ticks end with, so that one that was taken away is still known for what it was: no other entry has it, nor
   * has another log.
   */
  tickSeq: number;
}

/** More events than a millisecond has. */
const LEAST_TICK_SEQ = 2 ** 20;

export function logKeys(channel: string): LogKeys {
  const log = slotKey(channel, 'log');
  return {
    log,
    count: slotKey(channel, 'count'),
    tick: slotKey(channel, 'tick'),
    fence: slotKey(channel, 'fence'),
    // Halves of surrogate pairs would all become one character on the way to Redis.
    once: (key) => slotKey(channel, `once:${JSON.stringify(key).slice(1, -1)}`),
    counter: (name) => slotKey(channel, name),
    tickSeq: LEAST_TICK_SEQ + createHash('sha1').update(log).digest().readUInt32BE(),
  };
}
