import { execFileSync } from 'node:child_process';
import { expect, it } from 'vitest';

/** Runs with a class that extends `String`, as ioredis 6 has one. @returns whether V8 finds its methods at once */
function finds(program: string): string {
  const shown = `${program}; console.log(%HasFastProperties(String.prototype))`;
  return execFileSync(process.execPath, ['--allow-natives-syntax', '-e', shown], { encoding: 'utf8' }).trim();
}

it('has V8 find the methods of strings at once, also beside a class that extends String', () => {
  const extended = 'class Text extends String {}';
  expect(finds(extended)).toBe('false');
  expect(finds(`${extended}; const { SSEKify } = require('./dist/index.js'); new SSEKify()`)).toBe('true');
});
