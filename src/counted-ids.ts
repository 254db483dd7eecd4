const MAX_ORIGINS = 10_000;
const ORIGIN_LENGTH = 10;
/** Numbers of so many digits are exact. */
const MAX_DIGITS = 15;
const ZERO = 48;
const DASH = 45;
const ORIGIN = /^[a-z0-9]{10}$/;

const LEAST_ROOM = 4;

/** The ids of one origin with what was noted of them, by ascending counter. */
class Run<Value> {
  readonly #values: Value[] = [];
  /** Of each id its time and its counter. */
  #numbers = new Float64Array(LEAST_ROOM * 2);

  /** The highest counter. */
  get newest(): number | undefined {
    return this.#values.length === 0 ? undefined : this.#numbers[this.#values.length * 2 - 1];
  }

  add(time: number, counter: number, value: Value): void {
    const at = this.#values.length * 2;
    if (at === this.#numbers.length) this.#grow();
    this.#numbers[at] = time;
    this.#numbers[at + 1] = counter;
    this.#values.push(value);
  }

  get(time: number, counter: number): Value | undefined {
    const numbers = this.#numbers;
    let from = 0;
    let to = this.#values.length;
    while (from < to) {
      const middle = (from + to) >>> 1;
      if ((numbers[middle * 2 + 1] ?? 0) < counter) from = middle + 1;
      else to = middle;
    }
    return numbers[from * 2 + 1] === counter && numbers[from * 2] === time ? this.#values[from] : undefined;
  }

  #grow(): void {
    const numbers = new Float64Array(this.#numbers.length * 2);
    numbers.set(this.#numbers);
    this.#numbers = numbers;
  }
}

/** All of one origin: an instance, up to its restart. */
class Origin<Value> {
  highest = -1;
  /** The highest counter of those that are forgotten. */
  forgotten = -1;
  young = new Run<Value>();
  old: Run<Value> | undefined;
}

/**
 * Notes something of each of the latest ids that look like `<ms>-<origin>-<counter>`, as instances give them. An origin's
 * counter only goes up, so that noting is appending, and looking up a binary search: no table of texts, which would be what
 * an event costs most. It notes only an id with a higher counter than all before of its origin, which was certainly never
 * there; what else comes is its user's to remember.
 */
export class CountedIds<Value> {
  readonly #origins = new Map<string, Origin<Value>>();
  /** The origin of the id that was read last, and its name. */
  #origin: Origin<Value> | undefined;
  #name = '';
  #size = 0;

  /** Ids that were noted since the last {@link CountedIds.age}. */
  get size(): number {
    return this.#size;
  }

  /** @returns whether the id was noted: it is of this kind, and new */
  add(id: string | CountedId, value: Value): boolean {
    const read = this.#read(id);
    if (read === undefined) return false;
    const origin = this.#origin ?? this.#begin();
    if (origin === undefined || read.counter <= origin.highest) return false;
    origin.highest = read.counter;
    origin.young.add(read.time, read.counter, value);
    this.#size += 1;
    return true;
  }

  /** What was noted of an id, while it is among the latest. */
  get(id: string): Value | undefined {
    const read = this.#read(id);
    if (read === undefined || this.#origin === undefined) return undefined;
    const { young, old } = this.#origin;
    return young.get(read.time, read.counter) ?? old?.get(read.time, read.counter);
  }

  /** Whether something may have been noted of an id, and forgotten. */
  mayHaveForgotten(id: string): boolean {
    const read = this.#read(id);
    return read !== undefined && this.#origin !== undefined && read.counter <= this.#origin.forgotten;
  }

  /** Forgets what was noted before the last time this was called. */
  age(): void {
    this.#size = 0;
    for (const origin of this.#origins.values()) {
      origin.forgotten = origin.old?.newest ?? origin.forgotten;
      origin.old = origin.young;
      origin.young = new Run();
    }
  }

  /** Takes an id apart, if it is written as these are, and finds what is noted of its origin. */
  #read(id: string | CountedId): CountedId | undefined {
    const counted = typeof id === 'string' ? read(id) : id;
    if (counted === undefined || this.#name === counted.origin) return counted;
    this.#name = counted.origin;
    this.#origin = this.#origins.get(counted.origin);
    return counted;
  }

  /** Beyond so many origins none is taken up: instances are fewer, and what pretends to be one is to cost no memory. */
  #begin(): Origin<Value> | undefined {
    if (this.#origins.size >= MAX_ORIGINS) return undefined;
    this.#origin = new Origin();
    this.#origins.set(this.#name, this.#origin);
    return this.#origin;
  }
}

/** What such an id is made of. */
export interface CountedId {
  readonly time: number;
  readonly origin: string;
  readonly counter: number;
}

export const textOf = ({ time, origin, counter }: CountedId) => `${time}-${origin}-${counter}`;

/** The id that was read last: each is asked for several times, and the next is mostly of the same origin and millisecond. */
const last = { id: '', valid: false, time: 0, origin: '', counter: 0, beginning: '' };

/** Takes an id apart, if it is one. @returns always the same object */
function read(id: string): CountedId | undefined {
  if (id !== last.id) {
    last.id = id;
    last.valid = (last.beginning !== '' && id.startsWith(last.beginning)) || readBeginning(id);
    if (last.valid) last.counter = numberIn(id, last.beginning.length, id.length);
    last.valid &&= last.counter >= 0;
  }
  return last.valid ? last : undefined;
}

function readBeginning(id: string): boolean {
  const dash = id.lastIndexOf('-');
  const from = dash - ORIGIN_LENGTH;
  if (id.charCodeAt(from - 1) !== DASH) return false;
  const time = numberIn(id, 0, from - 1);
  const origin = id.slice(from, dash);
  if (time < 0 || !ORIGIN.test(origin)) return false;
  last.time = time;
  last.origin = origin;
  last.beginning = `${time}-${last.origin}-`;
  return true;
}

/** The number that the digits from one place to another make; -1 when they are none, or are not how it is written. */
function numberIn(text: string | Uint8Array, from: number, to: number): number {
  const isText = typeof text === 'string';
  if (to <= from || to - from > MAX_DIGITS) return -1;
  let number = 0;
  for (let at = from; at < to; at += 1) {
    const digit = ((isText ? text.charCodeAt(at) : text[at]) ?? 0) - ZERO;
    // Nothing stands behind a zero at the beginning.
    if (digit < 0 || digit > 9 || (number === 0 && at > from)) return -1;
    number = number * 10 + digit;
  }
  return number;
}

/** The one that was read last from bytes. */
const inBytes = { time: 0, origin: '', counter: 0 };
const originBytes = new Uint8Array(ORIGIN_LENGTH);

/** The same as {@link read} of an id that lies in bytes: no text is made of it. */
export function readCountedId(bytes: Buffer, from: number, to: number): CountedId | undefined {
  let dash = from;
  while (dash < to && bytes[dash] !== DASH) dash += 1;
  const end = dash + 1 + ORIGIN_LENGTH;
  if (bytes[end] !== DASH) return undefined;
  let isSame = true;
  for (let at = 0; at < ORIGIN_LENGTH; at += 1) isSame &&= bytes[dash + 1 + at] === originBytes[at];
  if (!isSame) {
    const origin = bytes.toString('latin1', dash + 1, end);
    if (!ORIGIN.test(origin)) return undefined;
    originBytes.set(bytes.subarray(dash + 1, end));
    inBytes.origin = origin;
  }
  inBytes.time = numberIn(bytes, from, dash);
  inBytes.counter = numberIn(bytes, end + 1, to);
  return inBytes.time < 0 || inBytes.counter < 0 ? undefined : inBytes;
}
