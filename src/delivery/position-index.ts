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

/** The place in the send order that a unique id tells by itself; `undefined` for any other id. */
export type PlaceOf = (id: string) => number | undefined;

/** Which place in the send order an id stands for. */
export class PositionIndex {
  readonly #orders = new Map<string, number | { orders: Set<number>; forgotten: boolean }>();
  /** Ids that stand for a place where no event is, oldest first. */
  readonly #marks = new AgingMap<string, number>();
  readonly #forgotten = new ForgottenIds();
  /** Reads the place out of unique ids, which then need no entry. */
  readonly placeOf: PlaceOf;
  readonly #keepsUnique: boolean;

  /** @param placeOf - absent when unique ids tell no place */
  constructor(placeOf?: PlaceOf) {
    this.placeOf = placeOf ?? (() => undefined);
    this.#keepsUnique = placeOf === undefined;
  }

  /** Whether a frame's id is looked up here. */
  keeps({ unique }: Pick<Frame, 'unique'>): boolean {
    return this.#keepsUnique || !unique;
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
      const again = this.#forgotten.has(id) || this.placeOf(id) !== undefined;
      this.#orders.set(id, again ? { orders: new Set([order]), forgotten: true } : order);
    } else if (typeof known === 'number') {
      this.#orders.set(id, { orders: new Set([known, order]), forgotten: false });
    } else {
      known.orders.add(order);
    }
  }

  remove(id: string | undefined, order: number, unique: boolean): void {
    if (id === undefined || id === '') return;
    if (unique && typeof this.#orders.get(id) === 'number') {
      this.#orders.delete(id);
      return;
    }
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
