import { type ChildProcess, execFileSync, spawn } from 'node:child_process';
import { once } from 'node:events';
import { atEnd } from './cleanup.js';
import { request } from './example.js';
import { skipping } from './programs.js';
import { freePort } from './redis.js';

/** Debian's own, which sees Debian's packages. */
const PYTHON = '/usr/bin/python3';

export interface Upstream {
  readonly url: string;
  /** How many streams it has open. */
  streams(): Promise<unknown>;
  /** Stops it as `kill -9` does. */
  kill(): Promise<void>;
  /** Starts it again on the same port. */
  start(): Promise<void>;
}

/** Whether tests that need the Python upstream have to be skipped. */
export function lacksUpstream(): boolean {
  try {
    execFileSync(PYTHON, ['-c', 'import fastapi, uvicorn'], { stdio: 'ignore' });
    return false;
  } catch {
    skipping('python3-fastapi and python3-uvicorn are not installed');
    return true;
  }
}

/** Runs examples/python/upstream.py; stopped when the test ends. */
export async function startUpstream(env: Readonly<Record<string, string>> = {}): Promise<Upstream> {
  const port = await freePort();
  let child: ChildProcess | undefined;
  const start = async () => {
    const args = ['-m', 'uvicorn', '--app-dir', 'examples/python', '--port', String(port), 'upstream:app'];
    const starting = spawn(PYTHON, args, {
      env: { ...process.env, PYTHONDONTWRITEBYTECODE: '1', TICK_MS: '20', ...env },
      stdio: ['ignore', 'ignore', 'pipe'],
    });
    child = starting;
    await new Promise<void>((resolve, reject) => {
      let log = '';
      starting.stderr.on('data', (chunk: Buffer) => {
        log += chunk;
        if (log.includes('Uvicorn running')) resolve();
      });
      starting.once('error', reject);
      starting.once('exit', (code) => reject(new Error(`the upstream ended with ${code}:\n${log}`)));
    });
  };
  const kill = async () => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill('SIGKILL');
    await exited;
  };
  atEnd(kill);
  await start();
  const url = `http://127.0.0.1:${port}`;
  return { url: `${url}/sse`, streams: async () => (await request(`${url}/health`)).json().streams, kill, start };
}
