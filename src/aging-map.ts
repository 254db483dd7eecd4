/**
 * A Map that gives its oldest key in O(1) amortized. Asking a plain Map for its first key walks over everything that was
 * deleted before it, which makes a bounded one that is full cost O(size) per entry.
 */
export class AgingMap<Key, Value> extends Map<Key, Value> {
  /** Stands behind the oldest key; all that it passed is deleted. */
  #later: IterableIterator<Key> | undefined;
  #oldest: { key: Key } | undefined;

  /** The key that was inserted first of all that are there. */
  oldest(): { key: Key } | undefined {
    while (this.#oldest === undefined && this.size > 0) {
      this.#later ??= this.keys();
      const { done, value } = this.#later.next();
      if (done === true) this.#later = undefined;
      else this.#oldest = { key: value };
    }
    return this.#oldest;
  }

  override delete(key: Key): boolean {
    if (this.#oldest?.key === key) this.#oldest = undefined;
    return super.delete(key);
  }

  override clear(): void {
    this.#oldest = undefined;
    this.#later = undefined;
    super.clear();
  }
}
