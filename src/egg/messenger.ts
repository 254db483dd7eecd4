import { EventEmitter } from 'node:events';
import type { RedisLike } from '../index.js';

/** What is used of `app.messenger`. */
export interface EggMessenger {
  sendToApp(action: string, data: unknown): unknown;
  on(action: string, listener: (data: unknown) => void): unknown;
  off(action: string, listener: (data: unknown) => void): unknown;
}

const ACTION = 'ssekify';

/**
 * A channel between the workers of one Egg application, by way of its master: every message goes to all workers, the one
 * that sent it included, in the master's order.
 */
class MessengerAdapter extends EventEmitter implements RedisLike {
  readonly echo: boolean;
  readonly #messenger: EggMessenger;
  readonly #channels: string[] = [];

  constructor(messenger: EggMessenger, echo: boolean) {
    super();
    this.#messenger = messenger;
    this.echo = echo;
  }

  async publish(channel: string, message: string): Promise<void> {
    this.#messenger.sendToApp(ACTION, [channel, message]);
  }

  async subscribe(channel: string): Promise<void> {
    if (this.#channels.length === 0) this.#messenger.on(ACTION, this.#receive);
    this.#channels.push(channel);
  }

  unsubscribe(channel: string): void {
    const place = this.#channels.indexOf(channel);
    if (place < 0) return;
    this.#channels.splice(place, 1);
    if (this.#channels.length === 0) this.#messenger.off(ACTION, this.#receive);
  }

  readonly #receive = (data: unknown): void => {
    if (Array.isArray(data) && this.#channels.includes(data[0])) this.emit('message', data[0], data[1]);
  };
}

/**
 * Makes an adapter, for the hub option `redis`, of Egg's messenger: it connects the hubs of all workers of one machine.
 *
 * @param messenger - `app.messenger` of a worker, or `agent.messenger`
 * @param options - `echo: false` for the agent, which publishes and gets nothing
 */
export function createMessengerAdapter(messenger: EggMessenger, { echo = true } = {}): RedisLike {
  return new MessengerAdapter(messenger, echo);
}
