import { Gate } from './gate.js';
import type { Link, MessageListener, SubscribedLink } from './link.js';
import type { NumberedPublish, NumberedResult, RedisLike } from './redis-like.js';
import { numberedArguments, numberedResult, PUBLISH_AT_SLOT, PUBLISH_NUMBERED, slotKey } from './script.js';
import { Subscriptions } from './subscriptions.js';
import { Watchdog } from './watchdog.js';

/** An adapter that has something to close. */
export interface ClosableAdapter extends RedisLike {
  /** Ends the adapter's own connections, once every hub that subscribed has closed it; never a client it was given. */
  close(): Promise<void>;
}

/** Redis' Pub/Sub and counters over two connections: one publishes and counts, one is subscribed. */
export class RedisAdapter implements ClosableAdapter {
  readonly #publisher: Link;
  readonly #subscriber: SubscribedLink;
  readonly #gate = new Gate();
  readonly #subscriptions: Subscriptions;
  readonly #watchdog: Watchdog;
  readonly #errorListeners = new Set<(error: unknown) => void>();
  readonly #messageListeners = new Set<(channel: string, message: string) => void>();
  readonly #bytesListeners = new Set<MessageListener>();

  constructor(publisher: Link, subscriber: SubscribedLink) {
    this.#publisher = publisher;
    this.#subscriber = subscriber;
    const error = (cause: unknown) => {
      for (const listener of [...this.#errorListeners]) listener(cause);
    };
    const message: MessageListener = (channel, bytes, from, to) => {
      for (const listener of this.#bytesListeners) listener(channel, bytes, from, to);
      if (this.#messageListeners.size === 0) return;
      const text = bytes.toString('utf8', from, to);
      for (const listener of this.#messageListeners) listener(channel, text);
    };
    this.#subscriptions = new Subscriptions(subscriber, error);
    publisher.listen({ ready: () => this.#begin(), lost: () => this.#lose(), error });
    subscriber.listen({
      ready: () => this.#subscriptions.restore(),
      lost: () => this.#subscriptions.lost(),
      error,
      message,
    });
    this.#watchdog = new Watchdog([publisher, subscriber]);
  }

  publish(channel: string, message: string): Promise<unknown> {
    return this.#gate.pass(
      () =>
        this.#publisher.cluster
          ? this.#publisher.call('eval', PUBLISH_AT_SLOT, '1', slotKey(channel, 'order'), channel, message)
          : this.#publisher.call('publish', channel, message),
      asItIs,
    );
  }

  publishNumbered(channel: string, publish: NumberedPublish): Promise<NumberedResult> {
    const key = this.#publisher.cluster ? slotKey(channel, publish.key) : publish.key;
    const args = ['1', key, ...numberedArguments(channel, publish)];
    return this.#gate.pass(() => this.#publisher.call('eval', PUBLISH_NUMBERED, ...args), numberedResult);
  }

  subscribe(channel: string): Promise<unknown> {
    return this.#subscriptions.add(channel);
  }

  on(event: 'message', listener: (channel: string, message: string) => void): void;
  on(event: 'error', listener: (error: unknown) => void): void;
  on(
    event: 'message' | 'error',
    listener: ((channel: string, message: string) => void) & ((error: unknown) => void),
  ): void {
    if (event === 'message') this.#messageListeners.add(listener);
    else this.#errorListeners.add(listener);
  }

  /** The same as `'message'`, without a text being made of it. @returns ends it */
  onBytes(listener: MessageListener): () => void {
    this.#bytesListeners.add(listener);
    return () => this.#bytesListeners.delete(listener);
  }

  onState(listener: (state: 'up' | 'down', channel: string) => void): void {
    this.#subscriptions.listeners.add(listener);
  }

  off(event: string, listener: (...args: unknown[]) => void): void {
    // A function is in one of these sets only when it was given for that event.
    const sets: Record<string, Set<(...args: never[]) => void>> = {
      message: this.#messageListeners,
      error: this.#errorListeners,
      state: this.#subscriptions.listeners,
    };
    sets[event]?.delete(listener);
  }

  unsubscribe(channel: string): Promise<void> {
    return this.#subscriptions.remove(channel);
  }

  incr(key: string): Promise<number> {
    return this.#gate.pass(() => this.#publisher.call('incr', key), Number);
  }

  expire(key: string, seconds: number): Promise<unknown> {
    return this.#gate.pass(() => this.#publisher.call('expire', key, String(seconds)), asItIs);
  }

  pexpire(key: string, milliseconds: number): Promise<unknown> {
    return this.#gate.pass(() => this.#publisher.call('pexpire', key, String(milliseconds)), asItIs);
  }

  async close(): Promise<void> {
    if (!this.#subscriptions.release()) return;
    this.#watchdog.stop();
    this.#lose();
    this.#publisher.end();
    this.#subscriber.end();
  }

  #begin(): void {
    this.#gate.open();
    this.#subscriptions.publishing = true;
  }

  #lose(): void {
    this.#subscriptions.publishing = false;
    this.#gate.shut();
  }
}

const asItIs = (answer: unknown) => answer;
