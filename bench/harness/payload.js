/** What is sent: objects whose JSON has 200 bytes. */

/** Stands once in every payload, and in nothing else on the wire: clients count it. */
const MARK = '~';
const BYTES = 200;
const FIRST = 1_000_000;

const bare = JSON.stringify({ n: FIRST, text: MARK }).length;
const text = 'the quick brown fox jumps over the lazy dog, '.repeat(10).slice(0, BYTES - bare) + MARK;

let n = FIRST;

/** A new payload, unlike all before it. */
function payload() {
  n += 1;
  return { n, text };
}

module.exports = { MARK, payload };
