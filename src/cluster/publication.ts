import type { PublishResult } from '../types.js';

/** How a publication is delivered on this instance when the channel does not do it. @returns connections that got it */
export type DeliverHere = () => number;

/** One publish on its way: to the channel, and back from it. */
export class Publication {
  /** Unique per publish; its echo is known by it. */
  readonly n: string;
  /** Under what no instance delivers it twice. */
  readonly key: string;
  readonly id: string | undefined;
  readonly deliverHere: DeliverHere;
  /** When the channel must have answered, on the clock's time; later, when the echo must have come. */
  deadline: number;
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

  constructor(n: string, key: string, id: string | undefined, deadline: number, deliverHere: DeliverHere) {
    this.n = n;
    this.key = key;
    this.id = id;
    this.deadline = deadline;
    this.deliverHere = deliverHere;
    this.result = new Promise((resolve, reject) => {
      this.#resolve = resolve;
      this.#reject = reject;
    });
  }

  /** The caller has its answer. */
  get settled(): boolean {
    return this.#settled;
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
