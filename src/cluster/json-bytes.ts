import { DIGIT, endOf, literal, QUOTE, standsAt, ZERO } from './bytes.js';

const TRUE = literal('true');
const FALSE = literal('false');
const NULL = literal('null');
const COMMA = 0x2c;
const MINUS = 0x2d;
const POINT = 0x2e;
const COLON = 0x3a;
const BACKSLASH = 0x5c;
const OPENING_BRACE = 0x7b;
const ARRAY = 0x5b;
/** An array's and an object's end both follow their beginning at this distance. */
const TO_CLOSING = 2;
const ESCAPED = literal('"\\/bfnrt');
const MAX_DEPTH = 100;

/**
 * Reads JSON (RFC 8259) as `JSON.stringify` writes most of it: it sees that it is good, and makes nothing of it. White space,
 * exponents and characters by their number are none of it.
 */
export class JsonScanner {
  /** Whether a field of the name that was asked for was there, or something escaped that may be its name. */
  hasField = false;
  readonly #field: Uint8Array | undefined;
  #kind = 0;
  #depth = 0;

  constructor(field: string | undefined) {
    if (field !== undefined) this.#field = literal(`${field}"`);
  }

  /**
   * @param kind - the bytes that strings may have
   * @returns where the value ends that begins here; -1 when it is no such one
   */
  end(bytes: Uint8Array, from: number, kind: number): number {
    this.hasField = false;
    this.#kind = kind;
    this.#depth = 0;
    return this.#value(bytes, from);
  }

  #value(bytes: Uint8Array, at: number): number {
    const first = bytes[at] ?? 0;
    if (first === QUOTE) return this.#string(bytes, at);
    if (first === OPENING_BRACE || first === ARRAY) return this.#members(bytes, at, first);
    if (standsAt(bytes, at, TRUE) || standsAt(bytes, at, NULL)) return at + TRUE.length;
    return standsAt(bytes, at, FALSE) ? at + FALSE.length : numberEnd(bytes, at);
  }

  #members(bytes: Uint8Array, from: number, opening: number): number {
    let at = from + 1;
    if (bytes[at] === opening + TO_CLOSING) return at + 1;
    this.#depth += 1;
    while (this.#depth <= MAX_DEPTH) {
      if (opening === OPENING_BRACE) {
        this.hasField ||= this.#field !== undefined && standsAt(bytes, at + 1, this.#field);
        at = this.#string(bytes, at, true);
        if (at < 0 || bytes[at] !== COLON) return -1;
        at += 1;
      }
      at = this.#value(bytes, at);
      if (at < 0) return -1;
      if (bytes[at] !== COMMA) {
        this.#depth -= 1;
        return bytes[at] === opening + TO_CLOSING ? at + 1 : -1;
      }
      at += 1;
    }
    return -1;
  }

  #string(bytes: Uint8Array, from: number, isName = false): number {
    if (bytes[from] !== QUOTE) return -1;
    let at = endOf(this.#kind, bytes, from + 1);
    while (bytes[at] === BACKSLASH) {
      this.hasField ||= isName;
      if (!ESCAPED.includes(bytes[at + 1] ?? 0)) return -1;
      at = endOf(this.#kind, bytes, at + 2);
    }
    return bytes[at] === QUOTE ? at + 1 : -1;
  }
}

function numberEnd(bytes: Uint8Array, from: number): number {
  const digits = bytes[from] === MINUS ? from + 1 : from;
  let at = endOf(DIGIT, bytes, digits);
  if (at === digits || (bytes[digits] === ZERO && at > digits + 1)) return -1;
  if (bytes[at] === POINT) {
    const fraction = at + 1;
    at = endOf(DIGIT, bytes, fraction);
    if (at === fraction) return -1;
  }
  return at;
}
