import { setTimeout as wait } from 'node:timers/promises';
import { isRecord } from '../checks.js';
import { afterSilence } from '../settling.js';
import { type ClusterClient, type IORedisClient, isClient, optionsOf } from './ioredis-client.js';
import type { LinkEvents, SubscribedLink } from './link.js';
import { onMessages } from './message-reader.js';
import { slotKey } from './script.js';

/** A connection to one node, which neither connects again nor subscribes again by itself. */
const OF_ONE_NODE = {
  retryStrategy: null,
  autoResubscribe: false,
  enableOfflineQueue: true,
  maxRetriesPerRequest: null,
  lazyConnect: false,
  // A replica that may answer reads would look like the owner.
  readOnly: false,
  keyPrefix: '',
  connectTimeout: 3000,
  disconnectTimeout: 500,
  maxLoadingRetryTime: 500,
};

const MAX_HOPS = 5;
const ANSWER_MS = 4000;

/** How often, and after how long, the client is told to look where the slots are. */
const MAX_REFRESHES = 10;
const REFRESH_MS = 100;

interface Address {
  host: string;
  port: number;
}

/** Two connections to a node: a subscribed one cannot be asked whether the node still owns the channel's slot. */
interface Seat {
  address: Address;
  subscriber: IORedisClient;
  asker: IORedisClient;
  channels: Set<string>;
}

/**
 * Subscribes to each channel at the node that owns its slot, where it is published too. The subscriber that is built into
 * a Cluster client listens at any node, so that a broken link between two nodes would starve it in silence; and when its
 * node dies it goes to another without a word.
 */
export class ClusterSubscriber implements SubscribedLink {
  readonly #client: ClusterClient;
  readonly #seats = new Map<string, Seat>();
  #events: LinkEvents | undefined;
  #turn: Promise<void> = Promise.resolve();
  #over = false;

  /** @param client - knows the nodes; it stays its owner's to end */
  constructor(client: ClusterClient) {
    this.#client = client;
  }

  get alive(): boolean {
    return this.#seats.size > 0;
  }

  listen(events: LinkEvents): void {
    this.#events = events;
    this.#client.on('ready', () => events.ready());
  }

  subscribe(channel: string): Promise<unknown> {
    return this.#inTurn(async () => {
      const answered = afterSilence(ANSWER_MS, () => this.renew());
      try {
        await this.#subscribe(channel);
      } finally {
        answered();
      }
    });
  }

  unsubscribe(channel: string): Promise<unknown> {
    return this.#inTurn(async () => {
      const seat = [...this.#seats.values()].find(({ channels }) => channels.delete(channel));
      if (seat === undefined) return;
      if (seat.channels.size === 0) this.#leave(seat);
      else await seat.subscriber.unsubscribe(channel);
    });
  }

  async check(): Promise<void> {
    await Promise.all([...this.#seats.values()].map((seat) => this.#check(seat)));
  }

  renew(): void {
    this.#leaveAll();
    if (this.#over) return;
    this.#events?.lost();
    this.#events?.ready();
  }

  end(): void {
    this.#over = true;
    this.#leaveAll();
  }

  /** One channel after the other, so that those of one node share its seat. */
  #inTurn(step: () => Promise<void>): Promise<void> {
    const turn = this.#turn.then(step);
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #check(seat: Seat): Promise<void> {
    const { subscriber, asker, channels } = seat;
    // A refusal is a sign of life, too, and a connection that breaks ends.
    const pinged = subscriber.call('ping').catch(() => undefined);
    try {
      await Promise.all([pinged, ...[...channels].map((channel) => ask(asker, channel))]);
    } catch (error) {
      if (!this.#isCurrent(seat)) return;
      // The slot moved, the node was cut off from its cluster, or it does not answer.
      this.#events?.error(error);
      this.renew();
    }
  }

  async #subscribe(channel: string): Promise<void> {
    const seats = [...this.#seats.values()];
    if (this.#over || seats.some(({ channels }) => channels.has(channel))) return;
    let address = seats[0]?.address ?? this.#anyNode();
    for (let hop = 0; hop < MAX_HOPS; hop += 1) {
      const seat = this.#seatAt(address);
      const moved = await this.#movedTo(seat, channel);
      if (moved === undefined) {
        await seat.subscriber.subscribe(channel);
        if (seat.channels.size === 0) await this.#refreshClient(channel);
        if (!this.#isCurrent(seat)) break;
        seat.channels.add(channel);
        return;
      }
      address = moved;
    }
    throw new Error('the nodes of the cluster do not agree on who owns the channel');
  }

  /** Asks a node for a key of the channel. @returns where else it is; `undefined` when this node owns it */
  async #movedTo(seat: Seat, channel: string): Promise<Address | undefined> {
    try {
      await ask(seat.asker, channel);
      return undefined;
    } catch (error) {
      if (seat.channels.size === 0) this.#leave(seat);
      const [, host, port] = /^MOVED \d+ (.*):(\d+)$/.exec(error instanceof Error ? error.message : '') ?? [];
      if (host === undefined) throw error;
      // An empty host means the one that was asked.
      return this.#reachable({ host: host === '' ? seat.address.host : host, port: Number(port) });
    }
  }

  /**
   * After a failover the client would learn only by a publish that fails where the slots are now; and the node that it asks
   * may not have heard of the failover yet.
   */
  async #refreshClient(channel: string): Promise<void> {
    for (let attempt = 0; attempt < MAX_REFRESHES && !this.#over; attempt += 1) {
      if (attempt > 0) await wait(REFRESH_MS, undefined, { ref: false });
      // Should it fail, no node of the client's answers, and it begins anew by itself.
      await new Promise<void>((resolve) => this.#client.refreshSlotsCache(() => resolve()));
      const reached = await ask(this.#client, channel).then(
        () => true,
        () => false,
      );
      if (reached) return;
    }
  }

  #anyNode(): Address {
    const nodes = this.#client.nodes();
    const node = nodes[Math.floor(Math.random() * nodes.length)];
    if (node === undefined) throw new Error('no node of the cluster can be reached');
    const { host, port } = optionsOf(node);
    return { host: String(host), port: Number(port) };
  }

  /** A node's address as it is seen from here, by the client's `natMap`. */
  #reachable(address: Address): Address {
    const { natMap: map } = optionsOf(this.#client);
    const name = nameOf(address);
    const mapped: unknown = typeof map === 'function' ? map(name) : isRecord(map) ? map[name] : undefined;
    return isRecord(mapped) ? { host: String(mapped.host), port: Number(mapped.port) } : address;
  }

  #seatAt(address: Address): Seat {
    const name = nameOf(address);
    const present = this.#seats.get(name);
    if (present !== undefined) return present;
    const seat = { address, subscriber: this.#open(address), asker: this.#open(address), channels: new Set<string>() };
    this.#seats.set(name, seat);
    for (const client of [seat.subscriber, seat.asker]) {
      client.on('error', (cause) => {
        if (this.#isCurrent(seat)) this.#events?.error(cause);
      });
      client.on('end', () => {
        if (!this.#isCurrent(seat)) return;
        if (seat.channels.size > 0) this.renew();
        else this.#leave(seat);
      });
    }
    onMessages(seat.subscriber, (...message) => {
      if (this.#isCurrent(seat)) this.#events?.message?.(...message);
    });
    return seat;
  }

  /** A connection with the credentials of the cluster's other ones. */
  #open({ host, port }: Address): IORedisClient {
    const [node] = this.#client.nodes();
    if (node === undefined) throw new Error('no node of the cluster can be reached');
    const client = node.duplicate({ ...OF_ONE_NODE, host, port });
    if (isClient(client)) return client;
    throw new Error('the client of a node makes no duplicate that can be used');
  }

  #isCurrent(seat: Seat): boolean {
    return this.#seats.get(nameOf(seat.address)) === seat;
  }

  #leave(seat: Seat): void {
    this.#seats.delete(nameOf(seat.address));
    seat.subscriber.disconnect();
    seat.asker.disconnect();
  }

  #leaveAll(): void {
    for (const seat of [...this.#seats.values()]) this.#leave(seat);
  }
}

const nameOf = ({ host, port }: Address) => `${host}:${port}`;

/** Answered by the node that owns the channel's slot, while its cluster is whole; by others with an error. */
async function ask(asker: IORedisClient, channel: string): Promise<void> {
  try {
    await asker.call('get', slotKey(channel, 'order'));
  } catch (error) {
    // While the slot is on its way to another node, it is still this one's.
    if (!(error instanceof Error && error.message.startsWith('ASK '))) throw error;
  }
}
