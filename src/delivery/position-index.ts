import { AgingMap } from '../aging-map.js';
import type { Frame } from '../wire/frame.js';
import { ForgottenIds } from './forgotten-ids.js';

const MAX_MARKS = 10_000;

/** The places of an id that stands, or stood, for several events: a caller may give one id to more than one. */
export interface Places {
  /** In the order of sending. */
  readonly orders: ReadonlySet<number>;
  /** There were others, which are not known any more. */
  readonly forgotten: boolean;
}

/** Where the places of ids are known without an entry for each of them. */
export interface KnownPlaces {
  /** The place in the send order that an id stands for; `undefined` for an id that is not such a one, or is forgotten. */
  placeOf(id: string): number | undefined;
  /** Whether it forgets places in time. */
  readonly forgets: boolean;
  /** Whether an id may have had a place here that is forgotten. */
  mayHaveForgotten(id: string): boolean;
}

/** Which place in the send order an id stands for. */
export class PositionIndex {
  readonly #orders = new Map<string, number | { orders: Set<number>; forgotten: boolean }>();
  /** Ids that stand for a place where no event is, oldest first. */
  readonly #marks = new AgingMap<string, number>();
  readonly #forgotten = new ForgottenIds();
  readonly #known: KnownPlaces | undefined;

  /** @param known - knows the places of unique ids, which then need no entry; absent when nobody does */
  constructor(known?: KnownPlaces) {
    this.#known = known;
  }

  placeOf(id: string): number | undefined {
    return this.#known?.placeOf(id);
  }

  /** Whether the place of a frame may once be known by nothing but its id. */
  get forgets(): boolean {
    return this.#known?.forgets === true;
  }

  /** Whether an id that is not found may be that of an event which is still kept. */
  mayHaveForgotten(id: string): boolean {
    return this.#known?.mayHaveForgotten(id) === true;
  }

  /** Whether a frame's id is looked up here. */
  keeps({ unique }: Pick<Frame, 'unique'>): boolean {
    return this.#known === undefined || !unique;
  }

  add(frame: Frame): void {
    if (!this.keeps(frame)) return;
    const { id, order } = frame;
    // An empty id resets the client's, so that no client ever comes back with it.
    if (id === undefined || id === '') return;
    if (frame.unique) {
      this.#orders.set(id, order);
      return;
    }
    const known = this.#orders.get(id);
    if (known === undefined) {
      // An event whose own place the id tells has no entry, and may be gone: it counts as one that was forgotten.
      const again = this.#forgotten.has(id) || this.placeOf(id) !== undefined || this.mayHaveForgotten(id);
      this.#orders.set(id, again ? { orders: new Set([order]), forgotten: true } : order);
    } else if (typeof known === 'number') {
      this.#orders.set(id, { orders: new Set([known, order]), forgotten: false });
    } else {
      known.orders.add(order);
    }
  }

  remove(id: string | undefined, order: number): void {
    if (id === undefined || id === '') return;
    const known = this.#orders.get(id);
    if (known === undefined) return;
    if (typeof known !== 'number') {
      known.orders.delete(order);
      known.forgotten = true;
      if (known.orders.size > 0) return;
    }
    this.#orders.delete(id);
    this.#forgotten.add(id);
  }

  /** Makes an id known as a place in the order; only the latest 10,000 of these are kept. */
  mark(id: string, order: number): void {
    this.#marks.set(id, order);
    const oldest = this.#marks.size > MAX_MARKS ? this.#marks.oldest() : undefined;
    if (oldest !== undefined) this.#marks.delete(oldest.key);
  }

  /** The one place an id stands for, or all its places; `undefined` when it is not known. */
  find(id: string): number | Places | undefined {
    return this.#orders.get(id) ?? this.#marks.get(id) ?? this.placeOf(id);
  }
}
