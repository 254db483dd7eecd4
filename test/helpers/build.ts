import { execFileSync } from 'node:child_process';

/** Before the tests of the built package, which a fresh clone does not have. */
export default function build(): void {
  execFileSync(process.execPath, ['examples/ensure-built.js'], { stdio: 'inherit' });
}
