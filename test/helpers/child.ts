import { spawn } from 'node:child_process';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { build } from 'tsup';
import { atEnd } from './cleanup.js';

export interface ChildResult {
  code: number | null;
  stdout: string;
  stderr: string;
}

export interface RunOptions {
  nodeOptions?: string[];
  /** Added to the environment. */
  env?: Record<string, string>;
  timeoutMs?: number;
}

/** Bundles a TypeScript program into a folder of its own, made in `parent`, that goes with the test. @returns its path */
export async function bundled(program: string, parent: string): Promise<string> {
  const directory = await mkdtemp(join(parent, 'ssekify-'));
  atEnd(() => rm(directory, { recursive: true, force: true }));
  const entry = join(directory, 'program.ts');
  await writeFile(entry, program);
  await build({
    entry: [entry],
    outDir: directory,
    config: false,
    silent: true,
    format: 'esm',
    target: 'node20',
    platform: 'node',
    outExtension: () => ({ js: '.mjs' }),
    external: ['ioredis'],
  });
  return join(directory, 'program.mjs');
}

/**
 * Runs a script in a process of its own, over the sources of the library, which it imports as `ssekify`. Resolves when the
 * process ends by itself; one that has not after `timeoutMs` is killed, and its code is then null.
 */
export async function runScript(
  script: string,
  { nodeOptions = [], env = {}, timeoutMs = 30_000 }: RunOptions = {},
): Promise<ChildResult> {
  const file = await bundled(script.replaceAll("'ssekify'", JSON.stringify(resolve('src/index.ts'))), tmpdir());
  const child = spawn(process.execPath, [...nodeOptions, file], {
    env: { ...process.env, ...env },
    stdio: ['ignore', 'pipe', 'pipe'],
  });
  let stdout = '';
  let stderr = '';
  child.stdout.setEncoding('utf8').on('data', (text: string) => {
    stdout += text;
  });
  child.stderr.setEncoding('utf8').on('data', (text: string) => {
    stderr += text;
  });
  const timer = setTimeout(() => child.kill('SIGKILL'), timeoutMs);
  const code = await new Promise<number | null>((ended) => child.on('close', ended));
  clearTimeout(timer);
  return { code, stdout, stderr };
}
