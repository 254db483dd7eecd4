const CR = 13;
const MINUS = 45;
const ZERO = 48;
const NINE = 57;
/** Redis' own limits, 512 MiB for a string and 2^31 for an array, have no more. */
const MAX_DIGITS = 10;

type Kind = 'line' | 'string' | 'array' | 'map';

/** The types of RESP 2 and 3 by their first byte. */
const KINDS: Readonly<Record<number, Kind>> = Object.fromEntries(
  (
    [
      ['+-:_,#(', 'line'],
      ['$=!', 'string'],
      ['*~>', 'array'],
      ['%', 'map'],
    ] satisfies [string, Kind][]
  ).flatMap(([types, kind]) => [...types].map((type) => [type.charCodeAt(0), kind])),
);

/** Finds where one reply of Redis ends, whose bytes come piece by piece and are not kept. */
export class ReplyEnd {
  /** Values still to end, those within arrays among them. */
  #open = 1;
  /** Bytes to come that belong to a value whose length is known. */
  #skip = 0;
  /** Of the value whose first line is being read. */
  #kind: Kind | undefined;
  #count = 0;
  #digits = 0;
  #isNull = false;

  get reached(): boolean {
    return this.#open === 0 && this.#skip === 0;
  }

  /** @returns the index behind the reply's last byte that is there; -1 when these bytes are no reply */
  find(chunk: Uint8Array, from: number): number {
    let at = from;
    while (at < chunk.length && !this.reached) {
      if (this.#skip > 0) {
        const skipped = Math.min(this.#skip, chunk.length - at);
        this.#skip -= skipped;
        at += skipped;
      } else {
        if (!this.#take(chunk[at] ?? CR)) return -1;
        at += 1;
      }
    }
    return at;
  }

  /** Takes the next byte of a value's first line. @returns whether it can stand there */
  #take(byte: number): boolean {
    if (this.#kind === undefined) {
      this.#kind = KINDS[byte];
      return this.#kind !== undefined;
    }
    if (byte === CR) return this.#endLine(this.#kind);
    if (this.#kind === 'line') return true;
    if (byte === MINUS && this.#digits === 0 && !this.#isNull) {
      this.#isNull = true;
      return true;
    }
    this.#digits += 1;
    this.#count = this.#count * 10 + byte - ZERO;
    return byte >= ZERO && byte <= NINE && this.#digits <= MAX_DIGITS;
  }

  #endLine(kind: Kind): boolean {
    if (kind !== 'line' && this.#digits === 0) return false;
    const count = this.#isNull ? 0 : this.#count;
    this.#open -= 1;
    // The line feed.
    this.#skip = 1;
    if (kind === 'string' && !this.#isNull) this.#skip += count + 2;
    if (kind === 'array') this.#open += count;
    if (kind === 'map') this.#open += 2 * count;
    this.#kind = undefined;
    this.#count = 0;
    this.#digits = 0;
    this.#isNull = false;
    return true;
  }
}
