/** Kinds of bytes; one may be of several. */
export const WORD = 1;
/** What stands in a JSON string as it is: no quote, no backslash, no control character. */
export const PLAIN = 2;
export const ASCII = 4;
export const DIGIT = 8;
/** What an instance's name is made of. */
export const NAME = 16;

export const QUOTE = 0x22;
export const ZERO = 0x30;

const KINDS = Uint8Array.from({ length: 256 }, (_, byte) => {
  const character = String.fromCharCode(byte);
  if (byte < 0x20 || character === '"' || character === '\\') return 0;
  if (byte >= 0x7f) return byte === 0x7f ? PLAIN | ASCII : PLAIN;
  const isDigit = /[0-9]/.test(character);
  return (
    PLAIN |
    ASCII |
    (character === ' ' ? 0 : WORD) |
    (isDigit ? DIGIT : 0) |
    (isDigit || /[a-z]/.test(character) ? NAME : 0)
  );
});

/** Where the bytes of a kind end that begin here. */
export function endOf(kind: number, bytes: Uint8Array, from: number): number {
  let at = from;
  while (((KINDS[bytes[at] ?? 0] ?? 0) & kind) !== 0) at += 1;
  return at;
}

/** ASCII to be looked for. */
export const literal = (text: string): Uint8Array => Uint8Array.from(Buffer.from(text));

/** Whether just these bytes stand here. */
export function standsAt(bytes: Uint8Array, at: number, expected: Uint8Array): boolean {
  for (let index = 0; index < expected.length; index += 1) if (bytes[at + index] !== expected[index]) return false;
  return true;
}
