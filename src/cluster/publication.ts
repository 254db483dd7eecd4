import type { PublishResult, Scope } from '../types.js';

/** What is to be published. */
export interface Outgoing {
  /** Unique per publish, on all instances. */
  n: string;
  /** Whom the event is for; absent for a command. */
  scope?: Scope | undefined;
  /** The event's id, as far as it is known: one that is made of a number may change until it is sent. */
  id?: (() => string | undefined) | undefined;
  /** Delivers it on this instance when the channel does not do it. @returns connections that got it */
  deliverHere: () => number;
  /** Sends it; called when it is its turn. `over` tells whether its caller has been answered, so that trying again is wrong. */
  send: (over: () => boolean) => Promise<unknown>;
  /** What has to be done before it is sent, when it is its turn; what comes after it waits too. */
  before?: (() => Promise<unknown>) | undefined;
  /** What comes after it waits for its answer. */
  holdBack?: boolean;
}

/** One publish on its way: to the channel, and back from it. */
export class Publication {
  readonly #outgoing: Outgoing;
  /** When the channel must have answered, on the clock's time; later, when the echo must have come. */
  deadline: number;
  /** It left for the channel. */
  sent = false;
  /** The channel took it. */
  taken = false;
  /** It came back. */
  echoed = false;
  /** Connections here that got it. */
  delivered = 0;
  readonly result: Promise<PublishResult>;
  #settled = false;
  #resolve: (result: PublishResult) => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;

  constructor(outgoing: Outgoing, deadline: number) {
    this.#outgoing = outgoing;
    this.deadline = deadline;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** Its echo is known by it. */
  get n(): string {
    return this.#outgoing.n;
  }

  get id(): string | undefined {
    return this.#outgoing.id?.();
  }

  /** Under what no instance delivers it twice. */
  get key(): string {
    return keyOf(this.n, this.#outgoing.scope, this.id) ?? '';
  }

  /** It has a place in the order of events. */
  get isEvent(): boolean {
    return this.#outgoing.scope !== undefined;
  }

  /** The caller has its answer. */
  get settled(): boolean {
    return this.#settled;
  }

  deliverHere(): void {
    this.delivered = this.#outgoing.deliverHere();
  }

  async send(): Promise<void> {
    this.sent = true;
    await this.#outgoing.send(() => this.#settled);
  }

  succeed(): void {
    this.#settled = true;
    this.#resolve({ id: this.id });
  }

  fail(error: unknown): void {
    this.#settled = true;
    this.#reject(error);
  }
}

/** Under what an event is delivered once: its id in its scope, or its number; `undefined` when it has neither. */
export function keyOf(n: string | undefined, scope: Scope | undefined, id: string | undefined): string | undefined {
  if (id !== undefined && id !== '' && scope !== undefined) {
    return `${scope.kind} ${id.length} ${id} ${scope.name ?? ''}`;
  }
  return n === undefined ? undefined : `n ${n}`;
}
