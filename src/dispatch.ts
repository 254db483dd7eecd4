import type { Delivery } from './delivery/delivery.js';
import type { EventIds } from './event-ids.js';
import { type Reporter, sentInfo } from './events.js';
import type { Scope } from './types.js';
import type { Frame, WireEvent } from './wire/frame.js';

/** Gives events their places in the send order, and delivers them. */
export class Dispatch {
  readonly #ids: EventIds;
  readonly #delivery: Delivery;
  readonly #reporter: Reporter;

  constructor(ids: EventIds, delivery: Delivery, reporter: Reporter) {
    this.#ids = ids;
    this.#delivery = delivery;
    this.#reporter = reporter;
  }

  /** Encodes what is sent next. */
  frameOf(event: WireEvent): Frame {
    return this.#ids.encode(event, this.#place(event));
  }

  /** @returns connections that got it */
  deliver(scope: Scope, frame: Frame): number {
    return this.#tell(scope, this.#delivery.deliver(scope, frame));
  }

  /** Delivers what is sent next; where nobody waits for it, its frame need not be made. @returns connections that got it */
  send(scope: Scope, event: WireEvent): number {
    const order = this.#place(event);
    if (this.#delivery.keep(scope, event, order)) return this.#tell(scope, 0);
    return this.deliver(scope, this.#ids.encode(event, order));
  }

  #place(event: WireEvent): number {
    const order = this.#delivery.nextOrder();
    this.#ids.place(event, order);
    return order;
  }

  #tell(scope: Scope, count: number): number {
    if (this.#reporter.isHeard('message-sent')) this.#reporter.tell('message-sent', () => sentInfo(scope, count));
    return count;
  }
}
