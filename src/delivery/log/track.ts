/** A list in the order of its items' places that grows at its end and is cut at its front. */
export class Track<Item extends { order: number }> {
  #items: (Item | undefined)[] = [];
  #head = 0;

  get length(): number {
    return this.#items.length - this.#head;
  }

  at(index: number): Item | undefined {
    return this.#items[this.#head + index];
  }

  push(item: Item): void {
    this.#items.push(item);
  }

  shift(): Item | undefined {
    const item = this.#items[this.#head];
    if (item === undefined) return undefined;
    this.#items[this.#head] = undefined;
    this.#head += 1;
    if (this.#head >= 32 && this.#head * 2 >= this.#items.length) {
      this.#items = this.#items.slice(this.#head);
      this.#head = 0;
    }
    return item;
  }

  /** Index of the first item behind `order`. */
  firstAfter(order: number): number {
    return this.first((item) => item.order > order);
  }

  /** Index of the first item for which a fact holds that holds for all behind it too. */
  first(holds: (item: Item) => boolean): number {
    let from = 0;
    let to = this.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      const item = this.at(middle);
      if (item !== undefined && holds(item)) to = middle;
      else from = middle + 1;
    }
    return from;
  }
}
