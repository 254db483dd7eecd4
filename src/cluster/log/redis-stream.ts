import { flag, integer, milliseconds, readOptions, type Values } from '../../checks.js';
import { type IORedisTarget, openLink } from '../ioredis.js';
import type { ReplicatedLink } from '../link.js';

/** Options of {@link createRedisStreamAdapter}. Give all instances of a channel the same ones. */
export interface RedisStreamOptions {
  /**
   * Milliseconds for which events stay in the log, counted by the log's own time; a client that is away for longer gets a gap.
   * At least 1000. A `key` is remembered for as long.
   * @defaultValue 600000 (10 minutes)
   */
  windowMs?: number | undefined;
  /**
   * Events the log keeps at most, or up to 100 more; at least 1.
   * @defaultValue 1000000
   */
  maxEvents?: number | undefined;
  /**
   * Bytes of events each instance holds in memory, counted with what keeping them costs; older ones of the window are read from
   * Redis when a client asks for them.
   * @defaultValue 268435456 (256 MiB)
   */
  ringMaxBytes?: number | undefined;
  /**
   * Resolve publishes, and deliver events, only when a replica of Redis has them: a failover loses none then. Without a replica
   * nothing is delivered.
   * @defaultValue false
   */
  durable?: boolean | undefined;
}

const schema = {
  windowMs: milliseconds(600_000, 1000),
  maxEvents: integer(1_000_000, 1),
  ringMaxBytes: integer(256 * 1024 * 1024, 0),
  durable: flag(false),
};

/** The options, complete. */
export type RedisStreamSettings = Values<typeof schema>;

/** Where hubs get their connections to the log from. */
export class LogSource {
  readonly settings: RedisStreamSettings;
  readonly #target: IORedisTarget;
  readonly #links = new Set<ReplicatedLink>();
  /** Opened at once, so that a target that cannot be used is an error at construction. */
  #first: ReplicatedLink | undefined;

  constructor(target: IORedisTarget, settings: RedisStreamSettings) {
    this.settings = settings;
    this.#target = target;
    this.#first = this.#open();
  }

  open(): ReplicatedLink {
    const link = this.#first ?? this.#open();
    this.#first = undefined;
    return link;
  }

  release(link: ReplicatedLink): void {
    if (this.#links.delete(link)) link.end();
  }

  close(): void {
    this.#first = undefined;
    for (const link of [...this.#links]) this.release(link);
  }

  #open(): ReplicatedLink {
    const link = openLink(this.#target, 'createRedisStreamAdapter');
    this.#links.add(link);
    return link;
  }
}

let sourceOf: (adapter: RedisStreamAdapter) => LogSource;

/** The log between instances in a Redis Stream, for `new SSEKify({ redis })`; {@link createRedisStreamAdapter} makes it. */
export class RedisStreamAdapter {
  static {
    sourceOf = (adapter) => adapter.#source;
  }

  readonly #source: LogSource;

  constructor(target: IORedisTarget, options: unknown) {
    this.#source = new LogSource(target, readOptions(schema, options, 'options'));
  }

  /** Ends all connections of the adapter, never a client it was given. A hub's `shutdown()` ends those of its own. */
  async close(): Promise<void> {
    this.#source.close();
  }
}

export const logSourceOf = (adapter: RedisStreamAdapter): LogSource => sourceOf(adapter);

/**
 * Makes a log between instances out of a Redis Stream (Redis 6.2 or later, `ioredis` 5 or 6): lossless mode. Each client gets
 * every published event exactly once and in order, on whatever instance it returns to, or is told by a gap event.
 *
 * An event's id is its place in the log, the same on all instances. Each holds the log in memory, so that clients that come
 * back cost Redis nothing.
 *
 * Its limits: Redis must keep its data (AOF with `appendfsync always` loses nothing; no eviction of keys), and a failover may
 * lose events that were acknowledged just before, unless `durable` is set. Such a loss is told by gaps with reason `'reset'`.
 *
 * @param target - a `redis://` or `rediss://` URL, options of ioredis (Sentinel's too), or a `Redis` or `Cluster` client,
 * which is duplicated and neither used nor closed
 * @throws {@link SSEKifyError} `REDIS_CLIENT_MISSING` when ioredis is not installed, `INVALID_OPTION`
 *
 * @example
 * ```ts
 * const sse = new SSEKify({ redis: createRedisStreamAdapter('redis://localhost:6379') });
 * await sse.ready();
 * await sse.publish({ paid: true }, 'alice', { key: 'order-4711-paid' });
 * ```
 */
export function createRedisStreamAdapter(target: IORedisTarget, options?: RedisStreamOptions): RedisStreamAdapter {
  return new RedisStreamAdapter(target, options);
}
