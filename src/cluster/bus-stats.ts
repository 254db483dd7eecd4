/** What `stats().bus` tells. */
export interface BusStats {
  /** `'none'`: alone. `'connecting'`: never subscribed yet. `'up'`: subscribed. `'down'`: lost, and trying again. */
  state: 'none' | 'connecting' | 'up' | 'down';
  /** Publishes that the channel took. */
  published: number;
  /** Publishes that the channel refused. */
  refused: number;
  /** Publishes that were not answered in time, so that nobody knows. */
  unanswered: number;
  /** Publishes waiting for their answer or their echo. */
  pending: number;
  /** Envelopes received, own ones included. */
  received: number;
  /** Envelopes that were delivered before, and so not again. */
  duplicates: number;
  /** Envelopes dropped as unusable. */
  invalid: number;
  /** Own events delivered here without the channel. */
  fallbacks: number;
  /** Times the subscription was lost. */
  outages: number;
}

export const NOTHING_COUNTED = {
  published: 0,
  refused: 0,
  unanswered: 0,
  received: 0,
  duplicates: 0,
  invalid: 0,
  fallbacks: 0,
  outages: 0,
};

/** The stats of a bus that is not there. */
export const NO_BUS: Readonly<BusStats> = { state: 'none', ...NOTHING_COUNTED, pending: 0 };
