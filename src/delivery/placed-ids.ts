/**
 * Automatic ids of an instance without a channel: `<epochMs>-<instanceId>-<place in the send order>`. The place stands in
 * the id, so no table of ids is kept, and none is forgotten.
 */
export class PlacedIds {
  readonly #middle: string;
  #latestMs = Number.NEGATIVE_INFINITY;
  #prefix = '';

  constructor(instanceId: string) {
    this.#middle = `-${instanceId}-`;
  }

  /** The id of the event at a place. Both numbers never go back, so a clock that steps back changes nothing. */
  at(order: number, now: number): string {
    if (now > this.#latestMs) {
      this.#latestMs = now;
      this.#prefix = `${now}${this.#middle}`;
    }
    return this.#prefix + order;
  }

  /** The place that an id of this instance tells; `undefined` for any other text. @param newest - the latest place there is */
  placeOf(id: string, newest: number): number | undefined {
    const at = id.indexOf(this.#middle);
    if (at < 1) return undefined;
    const order = Number(id.slice(at + this.#middle.length));
    const known = Number.isInteger(order) && order > 0 && order <= newest;
    return known && id.endsWith(`${this.#middle}${order}`) ? order : undefined;
  }
}
