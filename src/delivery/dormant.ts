import { AgingMap } from '../aging-map.js';

/** The newest event that a scope has lost. */
export interface Loss {
  id: string | undefined;
  order: number;
  /** No other event has its id. */
  unique: boolean;
}

const MAX_SCOPES = 100_000;

/**
 * Scopes whose buffer is gone and of which only the newest loss is remembered. That is what keeps a user who was quiet while
 * others wrote from being told of a gap that is none. Over 100,000 scopes the oldest memory goes, and with it the certainty
 * for positions older than it: they get a gap, perhaps a false one, and never silence.
 */
export class Dormant {
  readonly #losses = new AgingMap<string, Loss>();
  #forgottenUpTo = 0;

  /** What a scope without buffer may have lost at most. */
  lossOf(name: string): Loss {
    return this.#losses.get(name) ?? { id: undefined, order: this.#forgottenUpTo, unique: false };
  }

  /** Remembers a loss. @returns a loss that had to be forgotten for it */
  remember(name: string, loss: Loss): Loss | undefined {
    this.#losses.set(name, loss);
    const oldest = this.#losses.size > MAX_SCOPES ? this.#losses.oldest() : undefined;
    if (oldest === undefined) return undefined;
    const forgotten = this.lossOf(oldest.key);
    this.#losses.delete(oldest.key);
    this.#forgottenUpTo = Math.max(this.#forgottenUpTo, forgotten.order);
    return forgotten;
  }

  /** The scope has a buffer again, which carries its loss on. */
  wake(name: string): Loss {
    const loss = this.lossOf(name);
    this.#losses.delete(name);
    return loss;
  }
}
