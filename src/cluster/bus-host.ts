import type { Clock } from '../delivery/clock.js';
import type { Delivery } from '../delivery/delivery.js';
import type { HeldScope } from '../delivery/recent-buffer.js';
import type { SSEKifyError } from '../errors.js';
import type { Counters } from '../stats.js';
import type { WireEvent } from '../wire/frame.js';
import type { CountedSource } from './canonical.js';
import type { Command, Received } from './envelope.js';
import type { RedisLike } from './redis-like.js';

/** What the bus hands over to. */
export interface BusHost {
  /** Delivers an event. @returns connections that got it */
  deliver(scope: HeldScope, event: WireEvent, fromChannel: boolean): number;
  /** Whether an event for this scope can be kept as bytes: nobody here waits for it, and nobody listens. */
  keepsBytes(scope: HeldScope): boolean;
  keep(scope: HeldScope, source: CountedSource): void;
  /** Does something with a user's connections. @returns connections concerned */
  obey(command: Command): number;
  /** An envelope was received, in this message. */
  heard(received: Received, message: string): void;
  /**
   * Events may be missing up to here, or stand in another order than the channel's.
   * @param ongoing - more will be missing, until it is called again
   */
  tear(ongoing: boolean): void;
  error(error: SSEKifyError): void;
}

/** What the bus has to work with. */
export interface BusParts {
  adapter: RedisLike;
  channel: string;
  instanceId: string;
  clock: Clock;
  host: BusHost;
  delivery: Pick<Delivery, 'order' | 'lack'>;
  counters: Pick<Counters, 'replayed'>;
  maxPayloadBytes: number;
  /** The field of data where a number may stand that the host has to see. */
  numberField: string | undefined;
}
