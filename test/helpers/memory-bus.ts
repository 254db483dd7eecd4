import type { KeyValue, RedisLike } from '../../src/index.js';

/** Counters in memory that can fail, hang, and answer late or out of order. */
export class MemoryStore implements KeyValue {
  readonly counts = new Map<string, number>();
  /** Milliseconds until each key expires, as it was last said. */
  readonly expiries = new Map<string, number>();
  /** Calls of `incr` so far. */
  incrs = 0;
  /** What calls reject with from now on; `undefined` = they work. */
  failure: Error | undefined;
  /** Keeps calls from being answered, and from counting, until `release`. */
  holding = false;
  #held: (() => void)[] = [];

  /** How many calls wait. */
  get held(): number {
    return this.#held.length;
  }

  /** Lets the calls that wait through, in this order of theirs; and those that come. */
  release(order: (calls: (() => void)[]) => (() => void)[] = (calls) => calls): void {
    this.holding = false;
    for (const run of order(this.#held.splice(0))) run();
  }

  async incr(key: string): Promise<number> {
    this.incrs += 1;
    if (this.holding) await new Promise<void>((resolve) => this.#held.push(resolve));
    else await Promise.resolve();
    if (this.failure !== undefined) throw this.failure;
    const count = (this.counts.get(key) ?? 0) + 1;
    this.counts.set(key, count);
    return count;
  }

  async expire(key: string, seconds: number): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    this.expiries.set(key, seconds * 1000);
  }

  async pexpire(key: string, milliseconds: number): Promise<void> {
    if (this.failure !== undefined) throw this.failure;
    this.expiries.set(key, milliseconds);
  }
}

export interface MemoryAdapterOptions {
  /** `false`: own messages do not come back, and the adapter says so. */
  echo?: false;
  /** Counters as methods of the adapter, or as its `kv`. Default none. */
  counters?: 'methods' | 'kv';
}

/** A channel between adapters in this process: every message to all subscribers, in one order. */
export class MemoryBus {
  readonly store = new MemoryStore();
  /** Every message that was published, in order. */
  readonly messages: string[] = [];
  readonly #adapters = new Set<MemoryAdapter>();

  adapter(options: MemoryAdapterOptions = {}): MemoryAdapter {
    const adapter = new MemoryAdapter(this, options);
    this.#adapters.add(adapter);
    const { store } = this;
    if (options.counters === 'kv') return Object.assign(adapter, { kv: store });
    if (options.counters === undefined) return adapter;
    return Object.assign(adapter, {
      incr: (key: string) => store.incr(key),
      expire: (key: string, seconds: number) => store.expire(key, seconds),
      pexpire: (key: string, milliseconds: number) => store.pexpire(key, milliseconds),
    });
  }

  /** Publishes as a service in another language does. */
  publish(channel: string, message: string, from?: MemoryAdapter): void {
    this.messages.push(message);
    for (const adapter of this.#adapters) if (adapter !== from) adapter.receive(channel, message);
  }

  leave(adapter: MemoryAdapter): void {
    this.#adapters.delete(adapter);
  }
}

/** One instance's end of a {@link MemoryBus}, with faults to choose from. */
export class MemoryAdapter implements RedisLike {
  readonly echo?: false;
  /** What `publish` rejects with from now on. */
  refusal: Error | undefined;
  /** Messages are taken, and never answered. */
  silent = false;
  /** Own messages do not come back, though nobody said so. */
  losesEchoes = false;
  /** Messages kept from being received until `arrive`. */
  delays = false;
  closed = 0;
  readonly #bus: MemoryBus;
  readonly #channels = new Map<string, number>();
  readonly #messages = new Set<(channel: string, message: string) => void>();
  readonly #errors = new Set<(error: unknown) => void>();
  readonly #states = new Set<(state: 'up' | 'down') => void>();
  #delayed: [channel: string, message: string][] = [];
  #publishing = false;

  constructor(bus: MemoryBus, { echo }: MemoryAdapterOptions) {
    this.#bus = bus;
    if (echo !== undefined) this.echo = echo;
  }

  /** Listeners that somebody left behind. */
  get listeners(): number {
    return this.#messages.size + this.#errors.size + this.#states.size;
  }

  async publish(channel: string, message: string): Promise<number> {
    if (this.refusal !== undefined) throw this.refusal;
    this.#publishing = true;
    this.#bus.publish(channel, message, this.echo === false ? this : undefined);
    this.#publishing = false;
    if (this.silent) await new Promise(() => undefined);
    return 1;
  }

  async subscribe(channel: string): Promise<void> {
    this.#channels.set(channel, (this.#channels.get(channel) ?? 0) + 1);
  }

  unsubscribe(channel: string): void {
    const left = (this.#channels.get(channel) ?? 0) - 1;
    if (left > 0) this.#channels.set(channel, left);
    else this.#channels.delete(channel);
  }

  on(event: 'message', listener: (channel: string, message: string) => void): void;
  on(event: 'error', listener: (error: unknown) => void): void;
  on(event: 'message' | 'error', listener: (...args: never[]) => void): void {
    this.#listenersOf(event)?.add(listener);
  }

  onState(listener: (state: 'up' | 'down') => void): void {
    this.#states.add(listener);
  }

  off(event: string, listener: (...args: never[]) => void): void {
    this.#listenersOf(event)?.delete(listener);
  }

  close(): void {
    this.closed += 1;
    this.#bus.leave(this);
  }

  /** Tells whether the subscription stands. */
  tell(state: 'up' | 'down'): void {
    for (const listener of [...this.#states]) listener(state);
  }

  fail(error: unknown): void {
    for (const listener of [...this.#errors]) listener(error);
  }

  receive(channel: string, message: string): void {
    if (!this.#channels.has(channel) || (this.losesEchoes && this.#publishing)) return;
    this.#delayed.push([channel, message]);
    // As from a socket: later than the call, in order.
    if (!this.delays) queueMicrotask(() => this.arrive());
  }

  /** Lets what was delayed arrive. */
  arrive(): void {
    for (const [channel, message] of this.#delayed.splice(0)) this.#tellAll(channel, message);
  }

  /** A message of somebody else arrives, before what is delayed. */
  hear(message: string): void {
    for (const channel of this.#channels.keys()) this.#tellAll(channel, message);
  }

  #tellAll(channel: string, message: string): void {
    for (const listener of [...this.#messages]) listener(channel, message);
  }

  #listenersOf(event: string): Set<(...args: never[]) => void> | undefined {
    if (event === 'message') return this.#messages;
    if (event === 'error') return this.#errors;
    return event === 'state' ? this.#states : undefined;
  }
}
