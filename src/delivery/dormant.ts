/** The newest event that a scope has lost. */
export interface Loss {
  id: string | undefined;
  order: number;
}

const MAX_SCOPES = 100_000;

/**
 * Scopes whose buffer is gone and of which only the newest loss is remembered. That is what keeps a user who was quiet while
 * others wrote from being told of a gap that is none. Over 100,000 scopes the oldest memory goes, and with it the certainty
 * for positions older than it: they get a gap, perhaps a false one, and never silence.
 */
export class Dormant {
  readonly #losses = new Map<string, Loss>();
  #forgottenUpTo = 0;

  /** What a scope without buffer may have lost at most. */
  lossOf(name: string): Loss {
    return this.#losses.get(name) ?? { id: undefined, order: this.#forgottenUpTo };
  }

  /** Remembers a loss. @returns a loss that had to be forgotten for it */
  remember(name: string, loss: Loss): Loss | undefined {
    this.#losses.set(name, loss);
    if (this.#losses.size <= MAX_SCOPES) return undefined;
    for (const [oldest, forgotten] of this.#losses) {
      this.#losses.delete(oldest);
      this.#forgottenUpTo = Math.max(this.#forgottenUpTo, forgotten.order);
      return forgotten;
    }
    return undefined;
  }

  /** The scope has a buffer again, which carries its loss on. */
  wake(name: string): Loss {
    const loss = this.lossOf(name);
    this.#losses.delete(name);
    return loss;
  }
}
