import type { PublishResult, Scope } from '../types.js';
import type { WireEvent } from '../wire/frame.js';

/** An event that came back. `asText`: its data is no place to look for a number. */
export interface Echo {
  event: WireEvent;
  asText: boolean;
}

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
  /** Its caller waits until it came back, too. */
  paced?: boolean | undefined;
  /** What comes after it waits for its answer. */
  holdBack?: boolean;
  /** The event, when a message is just what was sent, so that nobody need read it. */
  echoOf?: (message: string) => Echo | undefined;
}

/** One publish on its way: to the channel, and back from it. */
export class Publication {
  readonly outgoing: Outgoing;
  /** Its place among all that were published here. */
  readonly order: number;
  /** When the channel must have answered, on the clock's time; later, when the echo must have come. */
  deadline: number;
  /** It left for the channel. */
  sent = false;
  /** The channel took it. */
  taken = false;
  /** Messages that had been received when its echo was last waited for. */
  heard = 0;
  /** How many times it was. */
  waits = 0;
  /** Connections here that got it. */
  delivered = 0;
  /** The caller has its answer. */
  settled = false;
  readonly result: Promise<PublishResult>;
  #resolve: (result: PublishResult) => void = () => undefined;
  #reject: (error: unknown) => void = () => undefined;

  constructor(outgoing: Outgoing, order: number, deadline: number) {
    this.outgoing = outgoing;
    this.order = order;
    this.deadline = deadline;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  get id(): string | undefined {
    return this.outgoing.id?.();
  }

  /** Sends it; what is thrown at once rejects, and an adapter need give no promise. */
  send(): Promise<unknown> {
    this.sent = true;
    try {
      return Promise.resolve(this.outgoing.send(() => this.settled));
    } catch (error) {
      return Promise.reject(error);
    }
  }

  succeed(): void {
    this.settled = true;
    this.#resolve({ id: this.id });
  }

  fail(error: unknown): void {
    this.settled = true;
    this.#reject(error);
  }
}
