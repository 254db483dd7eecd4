const MAX_KEYS = 50_000;
const MAX_AGE_MS = 120_000;

/** Remembers the latest keys: at least 50,000 of them or those of two minutes, at most twice that. */
export class RecentKeys {
  readonly #now: () => number;
  #young = new Set<string>();
  #old = new Set<string>();
  #youngSince: number;

  constructor(now: () => number) {
    this.#now = now;
    this.#youngSince = now();
  }

  has(key: string): boolean {
    return this.#young.has(key) || this.#old.has(key);
  }

  add(key: string): void {
    if (this.#young.size >= MAX_KEYS || this.#now() - this.#youngSince > MAX_AGE_MS) {
      this.#old = this.#young;
      this.#young = new Set();
      this.#youngSince = this.#now();
    }
    this.#young.add(key);
  }
}
