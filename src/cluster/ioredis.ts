import { hasMethods, isRecord } from '../checks.js';
import { SSEKifyError, show } from '../errors.js';
import { nextTick } from '../event-loop.js';
import { ClusterSubscriber } from './cluster-subscriber.js';
import { renewUnlessReady } from './greeting.js';
import {
  type ClusterClient,
  type IORedisClient,
  isClient,
  isCluster,
  isCorkable,
  optionsOf,
} from './ioredis-client.js';
import type { LinkEvents, ReplicatedLink } from './link.js';
import { constructorIn, loadOptional, made } from './load.js';
import { onMessages } from './message-reader.js';
import { type ClosableAdapter, RedisAdapter } from './redis-adapter.js';
import { SwitchWatch } from './switch-watch.js';

export type { IORedisClient } from './ioredis-client.js';

/** What {@link createIORedisAdapter} takes. */
export type IORedisTarget = string | IORedisClient | object;

const AGAIN_MS = 500;
const backOff = (attempt: number) => Math.min(attempt * 50, 500);

const COMMON = {
  // A Redis that loads its data is asked again so soon, by a timer that keeps the process also after the connection's end.
  maxLoadingRetryTime: 500,
  // A replica of Sentinel's would take what is published, and nobody at the primary hear it.
  role: 'master',
  // Word of a failover is heard by a watch of our own.
  failoverDetector: false,
  // What it groups by is, in some versions, not the key; in others it loses the command's name.
  enableAutoPipelining: false,
  lazyConnect: false,
  // How long a connection that was ended may take to close; also one that is closed already keeps the process for so long.
  disconnectTimeout: 500,
  // Who looks for silence would take a ping that the client gives up for an answer; a publish has a limit of the hub's.
  commandTimeout: undefined,
};

/**
 * A publish that cannot leave now fails now, and one whose answer is lost is never sent again by the client: the hub
 * delivers locally instead and tells the caller, who may retry with the id.
 */
const publishing = () => ({
  ...COMMON,
  enableOfflineQueue: false,
  maxRetriesPerRequest: 0,
  autoResendUnfulfilledCommands: false,
  reconnectOnError: leavesReplica(),
});

/**
 * After a failover the old primary is read-only: connect to the new one, and do not resend. Everything under way gets that
 * answer, and for each the client would leave once more.
 */
function leavesReplica() {
  let againAt = 0;
  return ({ message }: Error) => {
    const now = performance.now();
    if (now < againAt || !message.startsWith('READONLY')) return false;
    againAt = now + AGAIN_MS;
    return 1;
  };
}

/** Who follows a log waits for what comes, longer than an answer may take elsewhere; silence is noticed without these. */
const following = () => ({ ...publishing(), socketTimeout: undefined });

/** The adapter subscribes again by itself, so that it knows when the subscription stands. */
const SUBSCRIBING = {
  ...COMMON,
  enableOfflineQueue: true,
  maxRetriesPerRequest: null,
  autoResubscribe: false,
};

/** A sentinel that does not answer is not waited for. */
const BY_SENTINEL = { sentinelCommandTimeout: 2000 };

/** Where keys lie is the channel's business, and so must be their prefix. A replica knows not yet what was written. */
const BY_CLUSTER = { retryDelayOnFailover: 0, keyPrefix: '', enableAutoPipelining: false, scaleReads: 'master' };

type Options = Record<string, unknown>;

function connect(target: IORedisTarget, options: Options, caller = 'createIORedisAdapter'): IORedisClient {
  const client = isClient(target) ? duplicate(target, options) : construct(target, options, caller);
  if (isClient(client)) return client;
  throw new SSEKifyError(
    'REDIS_CLIENT_MISSING',
    'the ioredis that was loaded makes no usable client; versions 5 and 6 do.',
  );
}

function duplicate(client: IORedisClient, options: Options): unknown {
  if (!isCluster(client)) return client.duplicate({ ...BY_SENTINEL, ...options });
  const { enableOfflineQueue, lazyConnect, ...ofNodes } = options;
  const { redisOptions: given } = optionsOf(client);
  // ioredis 5 takes these instead of the client's own, in which are its password and TLS. Commands of a node that went away
  // are not sent again; a MOVED answer is followed, since it says that nothing was done.
  const redisOptions = { ...(isRecord(given) && given), ...ofNodes, keyPrefix: '' };
  return client.duplicate([], { ...BY_CLUSTER, enableOfflineQueue, lazyConnect, redisOptions });
}

function construct(target: unknown, options: Options, caller: string): unknown {
  const Redis = constructorIn(loadOptional('ioredis', caller), 'Redis');
  const defaults = { retryStrategy: backOff, connectTimeout: 5000, ...BY_SENTINEL };
  // What comes first is what the client takes, and a URL may carry options of its own.
  if (typeof target === 'string') return made(target, () => new Redis(options, target, defaults));
  // Options have no methods: a client of another kind would, taken as such, lead to the Redis of this machine.
  if (isRecord(target) && !hasMethods(target, ['on'])) return new Redis({ ...defaults, ...target, ...options });
  throw new SSEKifyError(
    'INVALID_OPTION',
    `target is ${show(target)}: expected a redis:// URL, ioredis options, or a client of ioredis.`,
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
 * ```
 */
export function createIORedisAdapter(target: IORedisTarget): ClosableAdapter {
  const publisher = connect(target, publishing());
  const subscriber = isCluster(publisher)
    ? new ClusterSubscriber(publisher)
    : new IORedisLink(connect(target, SUBSCRIBING));
  return new RedisAdapter(new IORedisLink(publisher), subscriber);
}

/** Opens a connection on which a command that cannot leave now fails now, and is never sent twice. */
export function openLink(target: IORedisTarget, caller: string): ReplicatedLink {
  return new IORedisLink(connect(target, following(), caller));
}

class IORedisLink implements ReplicatedLink {
  readonly #client: IORedisClient;
  /** Slots of keys that were waited for. */
  readonly #slots = new Map<string, number>();
  readonly #watch: SwitchWatch;
  #over = false;
  #gathering = false;
  #onceMore: NodeJS.Timeout | undefined;

  constructor(client: IORedisClient) {
    this.#client = client;
    this.#watch = new SwitchWatch(client);
    // Before anybody listens, ioredis would write it to the console; what lasts is told again.
    client.on('error', () => undefined);
  }

  get cluster(): boolean {
    return isCluster(this.#client);
  }

  get alive(): boolean {
    return this.#client.status === 'ready';
  }

  listen({ ready, lost, error, message }: LinkEvents): void {
    const client = this.#client;
    if (message !== undefined) onMessages(client, message);
    client.on('ready', ready);
    client.on('close', lost);
    client.on('end', () => {
      lost();
      this.#connectOnceMore(error);
    });
    client.on('error', (cause) => {
      if (!this.alive) lost();
      error(cause);
    });
    const connected = renewUnlessReady(this, () => client.status === 'connect', error);
    client.on('connect', connected);
    // It may have been opened long before anybody listens.
    if (this.alive) ready();
    connected();
  }

  call(command: string, ...args: string[]): Promise<unknown> {
    this.#gather();
    return this.#client.call(command, ...args);
  }

  async wait(key: string, timeoutMs: number): Promise<number> {
    const node = isCluster(this.#client) ? await this.#nodeOf(this.#client, key) : this.#client;
    const waiting = node.call('wait', '1', String(timeoutMs));
    // While the slot moves it may have been written elsewhere: an owner that has the key no more refuses it.
    if (node !== this.#client) await Promise.all([waiting, node.call('xrange', key, '+', '-')]);
    return Number(await waiting);
  }

  subscribe(channel: string): Promise<unknown> {
    return this.#client.subscribe(channel);
  }

  unsubscribe(channel: string): Promise<unknown> {
    return this.#client.unsubscribe(channel);
  }

  check(): Promise<unknown> {
    if (!isCluster(this.#client)) return this.call('ping');
    const used = this.#client.nodes().filter(({ status }) => status === 'ready');
    return Promise.all(used.map((node) => node.call('ping')));
  }

  renew(): void {
    this.#client.disconnect(true);
  }

  end(): void {
    this.#over = true;
    clearTimeout(this.#onceMore);
    this.#watch.end();
    this.#client.disconnect();
  }

  async #nodeOf(client: ClusterClient, key: string): Promise<IORedisClient> {
    let slot = this.#slots.get(key);
    if (slot === undefined) {
      slot = Number(await client.call('cluster', 'KEYSLOT', key));
      this.#slots.set(key, slot);
    }
    const [owner] = client.slots[slot] ?? [];
    const node = client.nodes('master').find((each) => nameOfNode(each) === owner);
    if (node === undefined) throw new Error('the node that owns the log is not known');
    return node;
  }

  /** Lets what is called in one go leave in one write; the client would write each command by itself. */
  #gather(): void {
    if (this.#gathering) return;
    // A Cluster has one for each node, elsewhere.
    const socket: unknown = Reflect.get(this.#client, 'stream');
    if (!isCorkable(socket)) return;
    this.#gathering = true;
    socket.cork();
    // From a callback of a promise this is after all other callbacks that are due.
    nextTick(() => {
      this.#gathering = false;
      socket.uncork();
    });
  }

  /** The client has given up, as its retry strategy says. */
  #connectOnceMore(error: LinkEvents['error']): void {
    if (this.#over) return;
    clearTimeout(this.#onceMore);
    this.#onceMore = setTimeout(() => {
      this.#client.connect().catch(error);
    }, AGAIN_MS).unref();
  }
}

const nameOfNode = (node: IORedisClient) => `${String(optionsOf(node).host)}:${String(optionsOf(node).port)}`;
