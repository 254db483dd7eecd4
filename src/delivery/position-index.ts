const MAX_MARKS = 10_000;

/** Which place in the send order an id stands for. A caller may give one id to several events, so an id may have several. */
export class PositionIndex {
  readonly #orders = new Map<string, number | number[]>();
  /** Ids that stand for a place where no event is, oldest first. */
  readonly #marks = new Map<string, number>();

  add(id: string, order: number): void {
    // An empty id resets the client's, so that no client ever comes back with it.
    if (id === '') return;
    const known = this.#orders.get(id);
    if (known === undefined) this.#orders.set(id, order);
    else if (typeof known === 'number') this.#orders.set(id, [known, order]);
    else known.push(order);
  }

  remove(id: string | undefined, order: number): void {
    if (id === undefined) return;
    const known = this.#orders.get(id);
    if (known === order) this.#orders.delete(id);
    else if (Array.isArray(known)) {
      const [first, ...others] = known.filter((each) => each !== order);
      if (first === undefined) this.#orders.delete(id);
      else this.#orders.set(id, others.length === 0 ? first : [first, ...others]);
    }
  }

  /** Makes an id known as a place in the order; only the latest 10,000 of these are kept. */
  mark(id: string, order: number): void {
    this.#marks.set(id, order);
    if (this.#marks.size <= MAX_MARKS) return;
    for (const oldest of this.#marks.keys()) {
      this.#marks.delete(oldest);
      return;
    }
  }

  /** The places an id stands for, in order; none when it is not known. */
  find(id: string): readonly number[] {
    const known = this.#orders.get(id) ?? this.#marks.get(id);
    if (known === undefined) return [];
    return typeof known === 'number' ? [known] : known;
  }
}
