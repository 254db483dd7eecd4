import { execFile } from 'node:child_process';
import { readFileSync } from 'node:fs';
import { promisify } from 'node:util';
import { skipping } from './programs.js';

/**
 * Where a runtime other than Node is, in the version that the scripts of this package start; npm fetches it when it is not
 * there. `undefined` when it cannot be had: then tests have to be skipped, which in CI throws.
 */
export async function runtime(name: 'bun' | 'deno'): Promise<string | undefined> {
  const [named] = new RegExp(`${name}@[\\d.]+`).exec(readFileSync('package.json', 'utf8')) ?? [];
  if (named === undefined) throw new Error(`no script of package.json starts ${name}`);
  try {
    const { stdout } = await promisify(execFile)('npx', ['-y', '-p', named, 'sh', '-c', `command -v ${name}`]);
    return stdout.trim();
  } catch (cause) {
    skipping(`${named} could not be fetched: ${String(cause)}`);
    return undefined;
  }
}
