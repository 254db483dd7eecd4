import { hasMethods, isRecord } from '../checks.js';
import { SSEKifyError, show } from '../errors.js';
import { channelError } from './channel-error.js';
import { renewUnlessReady } from './greeting.js';
import type { Link, LinkEvents } from './link.js';
import { functionIn, loadOptional, made } from './load.js';
import { type ClosableAdapter, RedisAdapter } from './redis-adapter.js';

type ChannelListener = (message: Buffer, channel: Buffer) => void;

/** A client of the official package `redis`, version 5 or later, as far as the adapter uses it. */
export interface NodeRedisClient {
  readonly isOpen: boolean;
  readonly isReady: boolean;
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  duplicate(overrides?: Readonly<Record<string, unknown>>): unknown;
  connect(): Promise<unknown>;
  subscribe(channel: string, listener: ChannelListener, asBuffers: true): Promise<unknown>;
  unsubscribe(channel: string, listener: ChannelListener, asBuffers: true): Promise<unknown>;
  sendCommand(args: readonly string[]): Promise<unknown>;
  destroy(): unknown;
}

/** What {@link createNodeRedisAdapter} takes. */
export type NodeRedisTarget = string | NodeRedisClient | object;

// Clients of Sentinel and of a Cluster are called otherwise; they are told by that they have no database to select.
const METHODS = ['on', 'duplicate', 'connect', 'subscribe', 'unsubscribe', 'sendCommand', 'destroy', 'select'];

function isClient(value: unknown): value is NodeRedisClient {
  return hasMethods(value, METHODS);
}

const ONCE_MORE_MS = 500;
const backOff = (attempt: number) => Math.min((attempt + 1) * 50, 500);

/** Overrides of what the adapter cannot leave open: a publish that cannot leave now fails now. */
const PUBLISHING = { disableOfflineQueue: true };
const SUBSCRIBING = { disableOfflineQueue: false };

type Options = Record<string, unknown>;

/** Gives a way to make clients: a connection that is half dead is replaced by a new one. */
function factoryOf(target: NodeRedisTarget, overrides: Options): () => NodeRedisClient {
  if (isClient(target)) return () => usable(target.duplicate(overrides));
  const createClient = functionIn(loadOptional('redis', 'createNodeRedisAdapter'), 'createClient');
  const defaults = { socket: { reconnectStrategy: backOff, connectTimeout: 5000 } };
  const options = typeof target === 'string' ? { url: target } : target;
  // Options have no methods: a client of another kind would, taken as such, lead to the Redis of this machine.
  if (!isRecord(options) || hasMethods(options, ['on'])) {
    throw new SSEKifyError(
      'INVALID_OPTION',
      `target is ${show(target)}: expected a redis:// URL, options of createClient, or a client of redis 5 or later, for a standalone server.`,
    );
  }
  return () => usable(made(options.url ?? target, () => createClient({ ...defaults, ...options, ...overrides })));
}

function usable(client: unknown): NodeRedisClient {
  if (isClient(client)) return client;
  throw new SSEKifyError(
    'REDIS_CLIENT_MISSING',
    'the redis package that was loaded makes no usable client; version 5 and later do.',
  );
}

/**
 * Makes the channel between instances out of the official `redis` client, version 5 or later. It behaves as
 * {@link createIORedisAdapter} does, for a standalone server.
 *
 * @param target - a `redis://` or `rediss://` URL, options of `createClient`, or a client, which is duplicated and neither
 * used nor closed
 * @throws {@link SSEKifyError} `REDIS_CLIENT_MISSING` when the package is not installed, `INVALID_OPTION`
 *
 * @example
 * ```ts
 * const sse = new SSEKify({ redis: createNodeRedisAdapter('redis://localhost:6379') });
 * ```
 */
export function createNodeRedisAdapter(target: NodeRedisTarget): ClosableAdapter {
  return new RedisAdapter(
    new NodeRedisLink(factoryOf(target, PUBLISHING)),
    new NodeRedisLink(factoryOf(target, SUBSCRIBING)),
  );
}

class NodeRedisLink implements Link {
  readonly cluster = false;
  readonly #make: () => NodeRedisClient;
  #client: NodeRedisClient;
  #events: LinkEvents | undefined;
  #over = false;
  #onceMore: NodeJS.Timeout | undefined;
  /** One for all, so that asking again for a channel, which the client may still have, adds nothing. */
  readonly #hear: ChannelListener = (message, channel) =>
    this.#events?.message?.(channel.toString(), message, 0, message.length);

  constructor(make: () => NodeRedisClient) {
    this.#make = make;
    this.#client = make();
  }

  get alive(): boolean {
    return this.#client.isReady;
  }

  listen(events: LinkEvents): void {
    this.#events = events;
    this.#open();
  }

  call(command: string, ...args: string[]): Promise<unknown> {
    return this.#client.sendCommand([command, ...args]);
  }

  subscribe(channel: string): Promise<unknown> {
    return this.#client.subscribe(channel, this.#hear, true);
  }

  unsubscribe(channel: string): Promise<unknown> {
    // Told of the listener, the client subscribes for who wants the channel again before Redis has answered.
    return this.#client.unsubscribe(channel, this.#hear, true);
  }

  check(): Promise<unknown> {
    return this.call('ping');
  }

  renew(): void {
    this.#destroy(this.#client);
    this.#events?.lost();
    this.#client = this.#make();
    this.#open();
  }

  end(): void {
    this.#over = true;
    clearTimeout(this.#onceMore);
    this.#destroy(this.#client);
  }

  #destroy(client: NodeRedisClient): void {
    try {
      client.destroy();
    } catch (error) {
      // It throws when it is closed already, which is what is wanted.
      if (client.isReady) this.#events?.error(error);
    }
  }

  #open(): void {
    const client = this.#client;
    const ifCurrent = (tell: (events: LinkEvents) => void) => {
      if (client === this.#client && this.#events !== undefined) tell(this.#events);
    };
    const connected = renewUnlessReady(
      this,
      () => client.isOpen && !client.isReady,
      (late) => this.#events?.error(late),
    );
    client.on('connect', () => {
      connected();
      // A client that is destroyed while its socket is being opened opens it all the same.
      if (this.#over || client !== this.#client) this.#destroy(client);
    });
    let stoodAt = 0;
    client.on('ready', () => {
      stoodAt = performance.now();
      ifCurrent(({ ready }) => ready());
    });
    client.on('end', () => ifCurrent(({ lost }) => lost()));
    client.on('reconnecting', () => ifCurrent(({ lost }) => lost()));
    client.on('error', (cause) =>
      ifCurrent(({ lost, error }) => {
        const answered = channelError(cause).outcome === 'refused';
        // One that cannot read what comes has lost count of the answers. One whose channels are refused to it would not come
        // back for those that are not, since it asks for all at once.
        const ends = stoodAt > 0 && answered !== client.isReady;
        if (ends && performance.now() - stoodAt > ONCE_MORE_MS) this.renew();
        else {
          // The next one may be no better.
          if (ends) this.#destroy(client);
          // Else Redis may have refused a ping of the client's own.
          if (!client.isReady) {
            lost();
            this.#replaceIfClosed(client);
          }
        }
        error(cause);
      }),
    );
    client.connect().catch((cause: unknown) =>
      ifCurrent(({ error }) => {
        error(cause);
        this.#replaceIfClosed(client);
      }),
    );
  }

  /** The client has given up when its reconnect strategy says so, and says no more after its last error. */
  #replaceIfClosed(client: NodeRedisClient): void {
    if (this.#over) return;
    clearTimeout(this.#onceMore);
    this.#onceMore = setTimeout(() => {
      if (client === this.#client && !client.isOpen) this.renew();
    }, ONCE_MORE_MS).unref();
  }
}
