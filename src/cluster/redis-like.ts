import { hasMethods } from '../checks.js';
import type { KeyValue } from '../stamp/key-value.js';

/** A publish whose message contains a number that Redis gives. */
export interface NumberedPublish {
  /** The counter. */
  key: string;
  /** The number of a counter that is not there. */
  startAt: number;
  /** The number is at least this. */
  floor: number;
  /** When the counter expires, in milliseconds from now. */
  ttlMs: number;
  /** Publish only if this is the number; else change nothing. */
  expected?: number | undefined;
  /** The message up to the number. */
  before: string;
  /** The message from the number on. */
  after: string;
}

/** What became of a {@link NumberedPublish}. */
export interface NumberedResult {
  /** The number that was taken, or that would have been. */
  seq: number;
  /** `false` when `expected` did not hold. */
  published: boolean;
}

/**
 * The channel between instances: what ssekify asks of a Redis client, or of anything that stands in for one.
 *
 * - **Delivery.** A message is delivered at most once to each subscriber, and exactly once to those subscribed while it is
 *   published. Losing messages while the connection is lost is allowed, repeating them is not.
 * - **Order.** All subscribers of a channel get its messages in one order, and two `publish` calls made one after the other
 *   on one adapter keep theirs.
 * - **Echo.** The publisher's own subscription gets the message too; an adapter that cannot do that says `echo: false`.
 * - **Failure.** `publish` rejects when the message was not taken. It never sends a message again by itself. An error
 *   may carry `outcome: 'unknown'` when the message was sent and its answer lost.
 * - **Reconnect.** After a lost connection the adapter connects and subscribes again by itself. If it offers `onState`, it
 *   tells `'down'` and `'up'`; ssekify then knows that messages may be missing.
 * - **End.** At its shutdown a hub calls `off`, `unsubscribe` and `close` where they are there, in this order; `off` of
 *   `'error'` once `close` is through.
 */
export interface RedisLike extends Partial<KeyValue> {
  /** Sends a message to all subscribers. Resolves once the channel took it. */
  publish(channel: string, message: string): Promise<unknown>;
  /** Subscribes. Resolves once the subscription stands. */
  subscribe(channel: string): Promise<unknown>;
  /** Tells of each message of the subscribed channels, once. */
  on(event: 'message', listener: (channel: string, message: string) => void): unknown;
  /** Tells of failures that no call can reject with. */
  on(event: 'error', listener: (error: unknown) => void): unknown;
  /** Frees everything the adapter opened. Called by `shutdown()`, once for each hub that subscribed. */
  close?(): unknown;
  /** `false`: own messages do not come back. */
  readonly echo?: boolean | undefined;
  /** Tells, from now on, whether the subscription to a channel stands; without a channel it tells of all. */
  onState?(listener: (state: 'up' | 'down', channel?: string) => void): unknown;
  /** Takes back one `subscribe` of the channel; for an adapter that outlives the hubs on it. */
  unsubscribe?(channel: string): unknown;
  /** Forgets a listener of `'message'` or `'error'`, or, named `'state'`, one that `onState` got. */
  off?(event: string, listener: (...args: unknown[]) => void): unknown;
  /** Takes a counter's next number and publishes, in one atomic step. */
  publishNumbered?(channel: string, message: NumberedPublish): Promise<NumberedResult>;
  /** The counters, when they are not methods of the adapter itself. */
  readonly kv?: KeyValue | undefined;
}

/** The counters of an adapter; `undefined` when it has none. */
export function keyValueOf(adapter: RedisLike): KeyValue | undefined {
  if (adapter.kv !== undefined) return adapter.kv;
  const { incr, expire, pexpire } = adapter;
  if (incr === undefined || expire === undefined) return undefined;
  return {
    incr: (key) => incr.call(adapter, key),
    expire: (key, seconds) => expire.call(adapter, key, seconds),
    ...(pexpire !== undefined && {
      pexpire: (key: string, milliseconds: number) => pexpire.call(adapter, key, milliseconds),
    }),
  };
}

/** Whether a value has the shape of an adapter. */
export function isRedisLike(value: unknown): value is RedisLike {
  return hasMethods(value, ['publish', 'subscribe', 'on']);
}
