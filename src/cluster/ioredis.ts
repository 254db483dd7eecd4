import { hasMethods, isRecord } from '../checks.js';
import { SSEKifyError, show } from '../errors.js';
import type { Link, LinkEvents } from './link.js';
import { constructorIn, loadOptional } from './load.js';
import { type ClosableAdapter, RedisAdapter } from './redis-adapter.js';

/** A client of the package `ioredis`, as far as the adapter uses it: a `Redis`, or a `Cluster`. */
export interface IORedisClient {
  readonly status: string;
  readonly isCluster?: boolean;
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  duplicate(...args: unknown[]): unknown;
  disconnect(reconnect?: boolean): unknown;
  subscribe(...channels: string[]): Promise<unknown>;
  call(command: string, ...args: string[]): Promise<unknown>;
}

/** What {@link createIORedisAdapter} takes. */
export type IORedisTarget = string | IORedisClient | Readonly<Record<string, unknown>>;

const METHODS = ['on', 'duplicate', 'disconnect', 'subscribe', 'call'];

function isClient(value: unknown): value is IORedisClient {
  return hasMethods(value, METHODS);
}

const backOff = (attempt: number) => Math.min(attempt * 50, 500);

/**
 * A publish that cannot leave now fails now, and one whose answer is lost is never sent again by the client: the hub
 * delivers locally instead and tells the caller, who may retry with the id.
 */
const PUBLISHING = {
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  lazyConnect: false,
  // After a failover the old primary is read-only: connect to the new one, and do not resend.
  reconnectOnError: (error: Error) => (error.message.startsWith('READONLY') ? 1 : false),
};

/** The adapter subscribes again by itself, so that it knows when the subscription stands. */
const SUBSCRIBING = {
  enableOfflineQueue: true,
  maxRetriesPerRequest: null,
  autoResubscribe: false,
  lazyConnect: false,
};

type Options = Record<string, unknown>;

function connect(target: IORedisTarget, options: Options): IORedisClient {
  const client = isClient(target) ? duplicate(target, options) : construct(target, options);
  if (isClient(client)) return client;
  throw new SSEKifyError(
    'REDIS_CLIENT_MISSING',
    'the ioredis that was loaded makes no usable client; versions 5 and 6 do.',
  );
}

function duplicate(client: IORedisClient, options: Options): unknown {
  if (client.isCluster !== true) return client.duplicate(options);
  const { enableOfflineQueue, lazyConnect, ...redisOptions } = options;
  // Commands of a node that went away are not sent again; a MOVED answer is followed, since it says that nothing was done.
  return client.duplicate([], { enableOfflineQueue, lazyConnect, retryDelayOnFailover: 0, redisOptions });
}

function construct(target: unknown, options: Options): unknown {
  const Redis = constructorIn(loadOptional('ioredis', 'createIORedisAdapter'), 'Redis');
  const defaults = { retryStrategy: backOff, connectTimeout: 5000 };
  if (typeof target === 'string') return new Redis(target, { ...defaults, ...options });
  if (isRecord(target)) return new Redis({ ...defaults, ...target, ...options });
  throw new SSEKifyError(
    'INVALID_OPTION',
    `target is ${show(target)}: expected a redis:// URL, ioredis options, or a client.`,
  );
}

/**
 * Makes the channel between instances out of `ioredis` 5 or 6, which is loaded when this is called.
 *
 * It opens two connections, one to publish and count, one to subscribe. They connect again by themselves. A sequence number
 * and its event's publishing are one atomic step in Redis. On a Cluster a channel's traffic and counters all live on the
 * node that owns the slot of `{<channel>}`.
 *
 * @param target - a `redis://` or `rediss://` URL, options of ioredis (Sentinel's too), or a `Redis` or `Cluster` client,
 * which is duplicated and neither used nor closed
 * @throws {@link SSEKifyError} `REDIS_CLIENT_MISSING` when ioredis is not installed, `INVALID_OPTION`
 *
 * @example
 * ```ts
 * const sse = new SSEKify({ redis: createIORedisAdapter('redis://localhost:6379') });
 * await sse.ready();
 * await sse.publish({ hello: 'everyone, everywhere' });
 * ```
 */
export function createIORedisAdapter(target: IORedisTarget): ClosableAdapter {
  return new RedisAdapter(new IORedisLink(connect(target, PUBLISHING)), new IORedisLink(connect(target, SUBSCRIBING)));
}

class IORedisLink implements Link {
  readonly #client: IORedisClient;

  constructor(client: IORedisClient) {
    this.#client = client;
  }

  get cluster(): boolean {
    return this.#client.isCluster === true;
  }

  get alive(): boolean {
    return this.#client.status === 'ready';
  }

  /** The subscriber of a Cluster is a connection that ioredis keeps to itself. */
  get pingable(): boolean {
    return !this.cluster;
  }

  listen({ ready, lost, error, message }: LinkEvents): void {
    const client = this.#client;
    client.on('ready', ready);
    client.on('close', lost);
    client.on('end', lost);
    client.on('error', (cause) => {
      if (!this.alive) lost();
      error(cause);
    });
    client.on('message', (channel, text) => message(String(channel), String(text)));
  }

  call(command: string, ...args: string[]): Promise<unknown> {
    return this.#client.call(command, ...args);
  }

  subscribe(channel: string): Promise<unknown> {
    return this.#client.subscribe(channel);
  }

  renew(): void {
    this.#client.disconnect(true);
  }

  end(): void {
    this.#client.disconnect();
  }
}
