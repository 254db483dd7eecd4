import {
  type ConnectionId,
  type PublishResult,
  type RegisteredConnectionHandle,
  SSEKify,
  type UserId,
} from '../index.js';
import { commentIn, type EggData, eventIn } from './message.js';
import { createMessengerAdapter, type EggMessenger } from './messenger.js';
import { type EggSettings, type EggSSEOptions, readEggOptions } from './options.js';

/** A room that nobody is in: what is published to it is for the plugin of each worker. */
const PLUGINS = '@ssekify/egg';

/** `app.sse`: the streams of this worker, in pools by key, and the way to those of all workers; `agent.sse` has the way alone. */
export class EggSSE {
  /** The hub of this worker, of which a pool's key is a user id; for all that is not named here. */
  readonly hub: SSEKify;
  /** What the configuration says, complete. */
  readonly settings: EggSettings;
  readonly #handles = new Map<ConnectionId, RegisteredConnectionHandle>();

  /** @throws {@link SSEKifyError} `INVALID_OPTION`, and as the hub does */
  constructor(options: EggSSEOptions | undefined, messenger: EggMessenger, inAgent = false) {
    this.settings = readEggOptions(options);
    const { hub } = this.settings;
    this.hub = new SSEKify({ ...hub, redis: hub.redis || createMessengerAdapter(messenger, { echo: !inAgent }) });
    this.hub.on('connect', ({ connId, handle }) => this.#handles.set(connId, handle));
    this.hub.on('disconnect', ({ connId }) => this.#handles.delete(connId));
    this.hub.on('publish', ({ type, target, event, data }) => {
      if (type === 'room' && target === PLUGINS) this.#obey(event, data);
    });
  }

  /**
   * Sends to the clients of a pool, on all workers. It never throws; a failure rejects, is logged, and need not be awaited.
   * @throws {@link SSEKifyError} as the hub's `publishToUser`
   */
  publish(key: UserId, data: EggData): Promise<PublishResult> {
    const comment = commentIn(data);
    // A key that is none is refused where it is used as one.
    if (comment !== undefined && isKey(key)) return this.#tellPlugins('comment', [comment, String(key)]);
    return this.hub.publishToUser(key, ...eventIn(data));
  }

  /** Sends to all clients, on all workers; otherwise as {@link EggSSE.publish}. */
  publishAll(data: EggData): Promise<PublishResult> {
    const comment = commentIn(data);
    if (comment !== undefined) return this.#tellPlugins('comment', [comment]);
    return this.hub.publishToAll(...eventIn(data));
  }

  /**
   * Sends to the clients of a pool on this worker alone, where every worker does the same.
   * @returns how many connections accepted it
   * @throws {@link SSEKifyError} as the hub's `sendToUser`
   */
  send(key: UserId, data: EggData): number {
    const comment = commentIn(data);
    if (comment !== undefined && isKey(key)) return this.#comment(comment, String(key));
    return this.hub.sendToUser(key, ...eventIn(data));
  }

  /** Sends to all clients of this worker alone; otherwise as {@link EggSSE.send}. */
  sendAll(data: EggData): number {
    const comment = commentIn(data);
    return comment === undefined ? this.hub.sendToAll(...eventIn(data)) : this.#comment(comment);
  }

  /** Ends the connections of a pool, on all workers; an EventSource comes back by itself. */
  close(key: UserId): Promise<void> {
    return this.hub.publishClose(key);
  }

  /** Ends all connections, on all workers. */
  closeAll(): Promise<PublishResult> {
    return this.#tellPlugins('close', []);
  }

  /** How many connections of a pool this worker has. */
  count(key: UserId): number {
    return this.hub.getUserConnectionCount(key);
  }

  /** How many connections this worker has. */
  countAll(): number {
    return this.hub.stats().connections;
  }

  #tellPlugins(event: 'comment' | 'close', words: readonly string[]): Promise<PublishResult> {
    return this.hub.publishToRoom(PLUGINS, JSON.stringify(words), { event, text: true });
  }

  /** Does what a worker's plugin asks of all. Anybody may have written it, as anything on the channel. */
  #obey(event: string | undefined, words: unknown): void {
    if (event === 'close') this.hub.close();
    if (event !== 'comment' || !Array.isArray(words)) return;
    const [text, key]: unknown[] = words;
    if (typeof text === 'string' && (key === undefined || typeof key === 'string')) this.#comment(text, key);
  }

  #comment(text: string, key?: string): number {
    const connIds = key === undefined ? [...this.#handles.keys()] : this.hub.getUserConnectionIds(key);
    return connIds.filter((connId) => this.#handles.get(connId)?.comment(text)).length;
  }
}

const isKey = (key: unknown) => (typeof key === 'string' && key !== '') || Number.isFinite(key);
