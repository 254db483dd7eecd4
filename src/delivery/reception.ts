import type { Registration } from '../options.js';
import type { Counters } from '../stats.js';
import type { RefusalReason } from '../types.js';
import { encodeRetry } from '../wire/frame.js';
import { admit, type ConnectionLimits } from './admission.js';
import { Connection } from './connection.js';
import type { Delivery } from './delivery.js';
import type { Exchange } from './sinks/exchange.js';

/** How a request for a stream was answered. */
export type Received = { lastEventId: string | undefined } & (
  | {
      connection: Connection;
      refused?: undefined;
      /** Tells what came of letting it in; to be called once its coming was told. */
      tell: () => void;
    }
  | { connection?: undefined; refused: RefusalReason; tell?: undefined }
);

/** Receives responses: lets them in or sends them away, and connects those that are in. */
export class Reception {
  readonly #delivery: Delivery;
  readonly #counters: Counters;
  readonly #limits: ConnectionLimits;
  #connections = 0;

  constructor(delivery: Delivery, counters: Counters, limits: ConnectionLimits) {
    this.#delivery = delivery;
    this.#counters = counters;
    this.#limits = limits;
  }

  receive(userId: string, exchange: Exchange, registration: Registration): Received {
    const { settings, rooms, signal } = registration;
    const delivery = this.#delivery;
    // A heartbeat that cannot be encoded is an error here, and not when it is first due.
    delivery.heartbeat(settings);
    // An empty option is no position, whatever the request says.
    const lastEventId = (registration.lastEventId ?? exchange.lastEventId) || undefined;
    const refused = admit(userId, exchange, registration, delivery, this.#limits);
    if (refused !== undefined) return { lastEventId, refused };

    this.#connections += 1;
    const connection = new Connection(delivery, this.#connections, userId, settings, lastEventId);
    const sink = exchange.open(connection);
    connection.start(sink, encodeRetry(settings.retryMs));
    // What is wrapped around a response runs at the first write, and may end the hub.
    if (delivery.draining) connection.close('shutdown');
    // A made-up response may fail at it.
    if (!connection.open) return { lastEventId, refused: delivery.draining ? 'draining' : 'gone' };
    this.#counters.sinks[sink.kind] += 1;
    const tell = delivery.enter(connection, lastEventId, rooms);
    if (signal !== undefined) connection.endWith(signal);
    return { lastEventId, connection, tell };
  }
}
