const AGAIN_MS = 500;

interface Subscription {
  standing: Promise<void>;
  stands: () => void;
}

/** The channels an adapter is subscribed to, made good after each reconnect; knows whether they stand. */
export class Subscriptions {
  readonly #subscribe: (channel: string) => Promise<unknown>;
  /** Gives up a connection that is there but cannot subscribe. */
  readonly #renew: () => void;
  readonly #onError: (error: unknown) => void;
  readonly #channels = new Map<string, Subscription>();
  readonly #listeners: ((state: 'up' | 'down') => void)[] = [];
  #connected = false;
  #up = false;
  #users = 0;
  #closed = false;
  /** Counts connections, so that an answer on an old one is not taken for the new one's. */
  #connection = 0;
  #again: NodeJS.Timeout | undefined;

  constructor(subscribe: (channel: string) => Promise<unknown>, renew: () => void, onError: (error: unknown) => void) {
    this.#subscribe = subscribe;
    this.#renew = renew;
    this.#onError = onError;
  }

  onState(listener: (state: 'up' | 'down') => void): void {
    this.#listeners.push(listener);
  }

  /** Resolves once the subscription stands for the first time. */
  add(channel: string): Promise<void> {
    this.#users += 1;
    let subscription = this.#channels.get(channel);
    if (subscription === undefined) {
      let stands = (): void => undefined;
      const standing = new Promise<void>((resolve) => {
        stands = resolve;
      });
      subscription = { standing, stands };
      this.#channels.set(channel, subscription);
      if (this.#connected) this.restore();
    }
    return subscription.standing;
  }

  /** A connection is there: subscribes to all, and tells when all stand. */
  restore(): void {
    this.#connected = true;
    if (this.#closed || this.#channels.size === 0) return;
    const connection = this.#connection;
    const channels = [...this.#channels];
    Promise.all(channels.map(([channel]) => this.#subscribe(channel))).then(
      () => {
        if (connection !== this.#connection || this.#closed) return;
        for (const [, { stands }] of channels) stands();
        this.#tell(true);
      },
      (error: unknown) => {
        if (connection !== this.#connection || this.#closed) return;
        this.#onError(error);
        this.#again = setTimeout(this.#renew, AGAIN_MS);
        this.#again.unref();
      },
    );
  }

  /** The connection is gone. */
  lost(): void {
    this.#connection += 1;
    this.#connected = false;
    this.#tell(false);
  }

  /** One user less. @returns whether it was the last, so that all ends */
  release(): boolean {
    this.#users -= 1;
    if (this.#users > 0 || this.#closed) return false;
    this.#closed = true;
    clearTimeout(this.#again);
    return true;
  }

  #tell(up: boolean): void {
    if (this.#closed || this.#up === up) return;
    this.#up = up;
    for (const listener of this.#listeners) listener(up ? 'up' : 'down');
  }
}
