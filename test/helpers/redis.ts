import { type ChildProcess, spawn } from 'node:child_process';
import { randomInt } from 'node:crypto';
import { once } from 'node:events';
import { mkdtemp, rm } from 'node:fs/promises';
import net from 'node:net';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { atEnd } from './cleanup.js';

/** Below the ports that systems give to those who ask for any: no neighbour gets one before its server starts, or while that is down. */
const FIRST_PORT = 20_000;
/** Each worker of the test runner has as many for itself. */
const PORTS = 1000;
const firstPort = FIRST_PORT + (Number(process.env.VITEST_POOL_ID ?? 0) % 12) * PORTS;
/** Not the same for all files, nor for two runs at a time. */
let asked = randomInt(PORTS);

/** A port of the loopback interface that was free a moment ago, and that nobody else is likely to take. */
export async function freePort(): Promise<number> {
  for (;;) {
    asked += 1;
    const port = firstPort + (asked % PORTS);
    const server = net.createServer().listen(port, '127.0.0.1');
    const isFree = await once(server, 'listening').then(
      () => true,
      () => false,
    );
    if (!isFree) continue;
    server.close();
    await once(server, 'close');
    return port;
  }
}

export interface RedisServer {
  readonly port: number;
  readonly url: string;
  /** Of its process, while it runs. */
  readonly pid: number | undefined;
  /** Stops it as `kill -9` does, or with another signal. */
  kill(signal?: NodeJS.Signals): Promise<void>;
  /** Starts it again on the same port. */
  start(): Promise<void>;
  /** A client for the test's own commands; closed with the test. */
  client(): Redis;
}

/** A real redis-server on a free port, without persistence unless asked for; stopped when the test ends. */
export async function startRedis(options: readonly string[] = []): Promise<RedisServer> {
  let port = await freePort();
  const dir = await mkdtemp(join(tmpdir(), 'ssekify-redis-'));
  let child: ChildProcess | undefined;
  const start = async () => {
    const settings = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--dir', dir, ...options];
    const starting = spawn('redis-server', settings, { stdio: ['ignore', 'pipe', 'inherit'] });
    child = starting;
    await new Promise<void>((resolve, reject) => {
      let log = '';
      starting.stdout.on('data', (chunk: Buffer) => {
        log += chunk;
        if (log.includes('Ready to accept connections')) resolve();
      });
      starting.once('exit', (code) => reject(new Error(`redis-server ended with ${code}:\n${log}`)));
    });
    // Nobody reads on: the log must not fill the pipe.
    starting.stdout.resume();
  };
  const kill = async (signal: NodeJS.Signals = 'SIGKILL') => {
    if (child === undefined || child.exitCode !== null || child.signalCode !== null) return;
    const exited = once(child, 'exit');
    child.kill(signal);
    await exited;
  };
  await start().catch(async () => {
    // Somebody else was quicker to take the port.
    port = await freePort();
    await start();
  });
  atEnd(async () => {
    await kill();
    await rm(dir, { recursive: true, force: true });
  });
  return {
    port,
    url: `redis://127.0.0.1:${port}`,
    get pid() {
      return child?.pid;
    },
    kill,
    start,
    client() {
      const client = new Redis(port, '127.0.0.1', { disconnectTimeout: 100 });
      client.on('error', () => undefined);
      atEnd(() => client.disconnect());
      return client;
    },
  };
}
