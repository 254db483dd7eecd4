import { accessSync, constants } from 'node:fs';
import path from 'node:path';

/** The names a program goes by, where it is more than one. */
const ALIASES: Readonly<Record<string, readonly string[]>> = {
  chromium: ['chromium', 'chromium-browser', 'google-chrome'],
};

export interface Program {
  /** Where it is; `''` when this machine does not have it. */
  readonly path: string;
  /** Whether the tests that need it have to be skipped. */
  readonly skip: boolean;
}

/**
 * A program that tests need and not every machine has. Call it at the top of a test file:
 *
 * ```ts
 * const redis = program('redis-server');
 * describe.skipIf(redis.skip)('…', () => { … spawn(redis.path) … });
 * ```
 *
 * Where it is missing, one line says that the file's tests are skipped. In CI nothing may be skipped: there it throws,
 * and `.ci/run` is where the program gets installed.
 */
export function program(name: 'chromium' | 'redis-server' | 'nginx' | 'caddy'): Program {
  const found = (ALIASES[name] ?? [name]).map(find).find((each) => each !== undefined);
  if (found !== undefined) return { path: found, skip: false };
  skipping(`${name} is not installed`);
  return { path: '', skip: true };
}

/** Says in one line why tests are skipped; in CI, where that is a failure, it throws. */
export function skipping(reason: string): void {
  if (process.env.CI === 'true') throw new Error(`${reason}; in CI no test may be skipped.`);
  process.stderr.write(`Skipping tests: ${reason}.\n`);
}

function find(name: string): string | undefined {
  // Servers stand in /usr/sbin, which is not on the PATH of every user.
  const folders = [...(process.env.PATH ?? '').split(path.delimiter), '/usr/sbin', '/usr/local/sbin'];
  return folders
    .filter((folder) => folder !== '')
    .map((folder) => path.join(folder, name))
    .find(isExecutable);
}

function isExecutable(file: string): boolean {
  try {
    accessSync(file, constants.X_OK);
    return true;
  } catch {
    return false;
  }
}
