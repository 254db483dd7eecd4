const BITS = 2 ** 22;
const WORDS = BITS / 32;
const IDS_PER_GENERATION = 400_000;
const PROBES = 3;

/**
 * Remembers in 1 MiB which ids stood for a place that is no longer known: a Bloom filter in two generations, so that it
 * tells of the last 400,000 at least. It errs on one side: an id may seem forgotten that was never there (1 to 2 in 100).
 */
export class ForgottenIds {
  #young: Uint32Array | undefined;
  #old: Uint32Array | undefined;
  #count = 0;

  add(id: string): void {
    if (this.#count === IDS_PER_GENERATION) {
      this.#old = this.#young;
      this.#young = undefined;
      this.#count = 0;
    }
    this.#young ??= new Uint32Array(WORDS);
    this.#count += 1;
    const first = hashOf(id);
    const distance = distanceOf(first);
    for (let probe = 0, bit = first; probe < PROBES; probe += 1, bit += distance) {
      const at = (bit >>> 5) % WORDS;
      this.#young[at] = (this.#young[at] ?? 0) | (1 << (bit & 31));
    }
  }

  has(id: string): boolean {
    if (this.#young === undefined) return false;
    const first = hashOf(id);
    return holds(this.#young, first) || (this.#old !== undefined && holds(this.#old, first));
  }
}

function holds(generation: Uint32Array, first: number): boolean {
  const distance = distanceOf(first);
  for (let probe = 0, bit = first; probe < PROBES; probe += 1, bit += distance) {
    if (((generation[(bit >>> 5) % WORDS] ?? 0) & (1 << (bit & 31))) === 0) return false;
  }
  return true;
}

/** FNV-1a. */
function hashOf(id: string): number {
  let hash = 0x811c9dc5;
  for (let index = 0; index < id.length; index += 1) hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193);
  return hash;
}

/** A second hash, made of the first, as the distance between probes. */
const distanceOf = (hash: number): number => Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) | 1;
