/** Size lines of small chunks, most of which are of few sizes; written in hexadecimal by a slow way of the engine. */
const sizeLines: string[] = [];
const KEPT_SIZES = 1024;

/** What stands before a chunk's data: RFC 9112, section 7.1. A CRLF stands behind it. */
export function sizeLine(byteLength: number): string {
  const known = sizeLines[byteLength];
  if (known !== undefined) return known;
  const line = `${byteLength.toString(16)}\r\n`;
  if (byteLength < KEPT_SIZES) sizeLines[byteLength] = line;
  return line;
}
