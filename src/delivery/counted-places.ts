import { type CountedId, CountedIds } from '../counted-ids.js';
import type { KnownPlaces } from './position-index.js';

/** Older ones are found while their events are kept; each place takes 24 bytes. */
const PLACES_PER_GENERATION = 50_000;

/** Where events from the channel stand in this instance's send order, by the ids that their publishers gave them. */
export class CountedPlaces implements KnownPlaces {
  readonly forgets = true;
  readonly #orders = new CountedIds<number>();

  /** @returns whether the id, which no event before had, tells the place from now on */
  take(id: string | CountedId, order: number): boolean {
    if (this.#orders.size >= PLACES_PER_GENERATION) this.#orders.age();
    return this.#orders.add(id, order);
  }

  placeOf(id: string): number | undefined {
    return this.#orders.get(id);
  }

  mayHaveForgotten(id: string): boolean {
    return this.#orders.mayHaveForgotten(id);
  }
}
