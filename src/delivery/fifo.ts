const LEAST_ROOM = 4;
/** More room than that is given back when the list gets empty. */
const KEPT_ROOM = 32;

/** A first-in-first-out list: a ring, which once it is large enough takes and gives without allocating. */
export class Fifo<Item> {
  /** As many as a power of two, so that places are masked and not divided. */
  #ring: (Item | undefined)[] = [];
  #head = 0;
  #length = 0;

  get length(): number {
    return this.#length;
  }

  push(item: Item): void {
    if (this.#length === this.#ring.length) this.#grow();
    const ring = this.#ring;
    ring[(this.#head + this.#length) & (ring.length - 1)] = item;
    this.#length += 1;
  }

  peek(): Item | undefined {
    return this.#ring[this.#head];
  }

  last(): Item | undefined {
    return this.#length === 0 ? undefined : this.#at(this.#length - 1);
  }

  shift(): Item | undefined {
    if (this.#length === 0) return undefined;
    const ring = this.#ring;
    const item = ring[this.#head];
    ring[this.#head] = undefined;
    this.#head = (this.#head + 1) & (ring.length - 1);
    this.#length -= 1;
    if (this.#length === 0 && ring.length > KEPT_ROOM) {
      this.#ring = [];
      this.#head = 0;
    }
    return item;
  }

  /** From the newest to the oldest. */
  *newestFirst(): Iterable<Item> {
    for (let index = this.#length - 1; index >= 0; index -= 1) {
      const item = this.#at(index);
      if (item !== undefined) yield item;
    }
  }

  #at(index: number): Item | undefined {
    return this.#ring[(this.#head + index) & (this.#ring.length - 1)];
  }

  #grow(): void {
    const ring = new Array<Item | undefined>(Math.max(LEAST_ROOM, this.#length * 2));
    for (let index = 0; index < this.#length; index += 1) ring[index] = this.#at(index);
    this.#ring = ring;
    this.#head = 0;
  }
}
