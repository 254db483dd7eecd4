import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { Redis } from 'ioredis';
import { askUntil } from './ask-until.js';
import { atEnd } from './cleanup.js';
import { program } from './programs.js';
import { freePort, type RedisServer, startRedis } from './redis.js';

const NAME = 'ssekify-primary';
export const ANOTHER = 'another-primary';

export interface SentinelTopology {
  readonly primary: RedisServer;
  readonly replica: RedisServer;
  /** The name that the sentinels know the primary by. */
  readonly name: string;
  readonly sentinels: readonly { host: string; port: number }[];
  /** Has the last sentinel hear and say nothing until it is to go on. @returns what lets it go on */
  silenceOne(): () => void;
  /** Has the sentinels replace a primary, named {@link ANOTHER}, that is nobody's. */
  replaceAnother(): Promise<void>;
}

/** A primary, its replica and three sentinels that watch over them; stopped when the test ends. */
export async function startSentinels(): Promise<SentinelTopology> {
  const { primary, replica } = await startPair();
  const processes = await Promise.all([1, 2, 3].map(() => startSentinel(primary.port)));
  const sentinels = processes.map(({ port }) => ({ host: '127.0.0.1', port }));
  const clients = sentinels.map((address) => new Redis(address));
  atEnd(() => {
    for (const client of clients) client.disconnect();
  });
  const know = (name: string) =>
    Promise.all(
      clients.map((client) => askUntil(client, ['SENTINEL', 'MASTER', name], 'num-slaves,1,num-other-sentinels,2')),
    );
  await know(NAME);
  const silenceOne = () => {
    processes.at(-1)?.child.kill('SIGSTOP');
    return () => {
      processes.at(-1)?.child.kill('SIGCONT');
    };
  };
  const replaceAnother = async () => {
    const another = await startPair();
    for (const client of clients)
      await client.call('SENTINEL', 'MONITOR', ANOTHER, '127.0.0.1', another.primary.port, 2);
    await know(ANOTHER);
    await clients[0]?.call('SENTINEL', 'FAILOVER', ANOTHER);
  };
  return { primary, replica, name: NAME, sentinels, silenceOne, replaceAnother };
}

async function startPair() {
  const primary = await startRedis();
  const replica = await startRedis(['--replicaof', `127.0.0.1 ${primary.port}`, '--repl-diskless-sync-delay', '0']);
  // Sentinels ask for replicas at once, and then not again for ten seconds.
  await askUntil(primary.client(), ['INFO', 'replication'], 'state=online');
  return { primary, replica };
}

async function startSentinel(primaryPort: number): Promise<{ child: ChildProcess; port: number }> {
  const port = await freePort();
  const dir = await mkdtemp(join(tmpdir(), 'ssekify-sentinel-'));
  const config = join(dir, 'sentinel.conf');
  const lines = [
    `port ${port}`,
    'bind 127.0.0.1',
    `dir ${dir}`,
    `sentinel monitor ${NAME} 127.0.0.1 ${primaryPort} 2`,
    // Short, so that a failover is; and not so short that a busy machine looks like a dead one.
    `sentinel down-after-milliseconds ${NAME} 2500`,
    `sentinel failover-timeout ${NAME} 6000`,
  ];
  await writeFile(config, `${lines.join('\n')}\n`);
  const child = spawn(program('redis-server').path, [config, '--sentinel'], { stdio: ['ignore', 'pipe', 'inherit'] });
  const exited = once(child, 'exit');
  atEnd(async () => {
    child.kill('SIGKILL');
    await exited;
    await rm(dir, { recursive: true, force: true });
  });
  let log = '';
  for await (const chunk of child.stdout.iterator({ destroyOnReturn: false })) {
    log += chunk;
    if (log.includes('+monitor')) break;
  }
  if (!log.includes('+monitor')) throw new Error(`the sentinel ended:\n${log}`);
  // Nobody reads on: the log must not fill the pipe.
  child.stdout.resume();
  return { child, port };
}
