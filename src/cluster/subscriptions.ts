import type { SubscribedLink } from './link.js';

const AGAIN_MS = 500;

type StateListener = (state: 'up' | 'down', channel: string) => void;

interface Subscription {
  /** Hubs that want it. */
  users: number;
  stands: boolean;
  /** Its hubs were told. */
  told: boolean;
  waiting: (() => void)[];
}

/** The channels an adapter is subscribed to, made good after each reconnect; knows which of them stand. */
export class Subscriptions {
  readonly listeners = new Set<StateListener>();
  readonly #link: SubscribedLink;
  readonly #onError: (error: unknown) => void;
  readonly #channels = new Map<string, Subscription>();
  #connected = false;
  #publishing = false;
  #users = 0;
  #closed = false;
  /** Counts connections, so that an answer on an old one is not taken for the new one's. */
  #connection = 0;
  #again: NodeJS.Timeout | undefined;

  constructor(link: SubscribedLink, onError: (error: unknown) => void) {
    this.#link = link;
    this.#onError = onError;
  }

  /**
   * Whether there is a connection to publish on. A subscription is told to stand only when there is, so that who waits for
   * it can publish; one that stands is not lost for want of it.
   */
  set publishing(publishing: boolean) {
    this.#publishing = publishing;
    for (const [channel, subscription] of this.#channels) this.#tellUp(channel, subscription);
  }

  /** Resolves once the subscription stands; rejects when there will be none. */
  add(channel: string): Promise<void> {
    if (this.#closed) return Promise.reject(new Error('the adapter was closed; make a new one'));
    this.#users += 1;
    let subscription = this.#channels.get(channel);
    if (subscription === undefined) {
      subscription = { users: 0, stands: false, told: false, waiting: [] };
      this.#channels.set(channel, subscription);
      if (this.#connected) this.#subscribe(channel, subscription);
    }
    const { waiting } = subscription;
    subscription.users += 1;
    return subscription.told ? Promise.resolve() : new Promise((resolve) => waiting.push(resolve));
  }

  /** One hub less wants the channel. */
  async remove(channel: string): Promise<void> {
    const subscription = this.#channels.get(channel);
    if (subscription === undefined) return;
    subscription.users -= 1;
    if (subscription.users > 0) return;
    this.#channels.delete(channel);
    if (this.#connected) await this.#link.unsubscribe(channel);
  }

  /** A connection is there: subscribes to all. */
  restore(): void {
    this.#connected = true;
    if (this.#closed) return;
    for (const [channel, subscription] of this.#channels) {
      if (!subscription.stands) this.#subscribe(channel, subscription);
    }
  }

  /** The connection is gone. */
  lost(): void {
    this.#connection += 1;
    this.#connected = false;
    clearTimeout(this.#again);
    for (const [channel, subscription] of this.#channels) {
      subscription.stands = false;
      if (!subscription.told) continue;
      subscription.told = false;
      this.#tell('down', channel);
    }
  }

  /** One user less. @returns whether it was the last, so that all ends */
  release(): boolean {
    this.#users -= 1;
    if (this.#users > 0 || this.#closed) return false;
    this.#closed = true;
    clearTimeout(this.#again);
    return true;
  }

  #subscribe(channel: string, subscription: Subscription): void {
    const connection = this.#connection;
    const isOver = () =>
      connection !== this.#connection || this.#closed || this.#channels.get(channel) !== subscription;
    this.#link.subscribe(channel).then(
      () => {
        if (isOver()) return;
        subscription.stands = true;
        this.#tellUp(channel, subscription);
      },
      (error: unknown) => {
        if (isOver()) return;
        this.#onError(error);
        clearTimeout(this.#again);
        this.#again = setTimeout(() => this.#tryAgain(), AGAIN_MS).unref();
      },
    );
  }

  /** A connection that can subscribe to nothing at all is given up; one that serves other channels is not. */
  #tryAgain(): void {
    const all = [...this.#channels.values()];
    if (all.some(({ stands }) => stands)) this.restore();
    else if (all.length > 0) this.#link.renew();
  }

  #tellUp(channel: string, subscription: Subscription): void {
    if (!this.#publishing || !subscription.stands || subscription.told) return;
    subscription.told = true;
    for (const resolve of subscription.waiting.splice(0)) resolve();
    this.#tell('up', channel);
  }

  #tell(state: 'up' | 'down', channel: string): void {
    if (this.#closed) return;
    for (const listener of [...this.listeners]) listener(state, channel);
  }
}
