const BITS = 2 ** 22;
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
    this.#young ??= new Uint32Array(BITS / 32);
    this.#count += 1;
    for (const bit of probes(id)) this.#young[bit >>> 5] = (this.#young[bit >>> 5] ?? 0) | (1 << (bit & 31));
  }

  has(id: string): boolean {
    if (this.#young === undefined) return false;
    const bits = probes(id);
    return holds(this.#young, bits) || (this.#old !== undefined && holds(this.#old, bits));
  }
}

const holds = (generation: Uint32Array, bits: readonly number[]) =>
  bits.every((bit) => ((generation[bit >>> 5] ?? 0) & (1 << (bit & 31))) !== 0);

/** Bits of an id: FNV-1a, and a second hash made of it as the distance between probes. */
function probes(id: string): number[] {
  let hash = 0x811c9dc5;
  for (let index = 0; index < id.length; index += 1) hash = Math.imul(hash ^ id.charCodeAt(index), 0x01000193);
  const distance = Math.imul(hash ^ (hash >>> 15), 0x2c1b3c6d) | 1;
  return Array.from({ length: PROBES }, (_, probe) => ((hash + probe * distance) >>> 0) % BITS);
}
