import { Redis } from 'ioredis';
import { expect } from 'vitest';
import { openStream } from '../../helpers/client.js';
import { type RedisServer, startRedis } from '../../helpers/redis.js';
import { startSentinels } from '../../helpers/sentinel.js';
import type { Program } from '../sandbox.js';
import { json, type Run } from './context.js';

type Start = (name: string, env?: Record<string, string>) => Program;

/** A run whose programs find a redis-server of their own where the documentation has one. */
export function onRedis({
  drive,
  ...run
}: Pick<Run, 'before' | 'after'> & {
  drive(program: Program, redis: RedisServer, again: (name: string) => Program): Promise<void>;
}): Run {
  let redis: RedisServer | undefined;
  const ports = () => ({ PORTS: JSON.stringify({ 6379: redis?.port }) });
  return {
    ...run,
    redis: true,
    async env() {
      redis = await startRedis();
      return ports();
    },
    async drive(program: Program, start: Start) {
      if (redis === undefined) throw new Error('there is no Redis');
      await drive(program, redis, (name) => start(name, ports()));
    },
  };
}

/** Serves Ann, and says when the hub is subscribed. */
export const SERVE_ANN = `
const http = await import('node:http');
http.createServer((req, res) => { sse.registerConnection('ann', res); }).listen(3000);
await sse.ready();
console.log('subscribed');
`;

/** Two instances of the program: Ann is at the one, and the other publishes to her when it is told to. */
export async function crossOver(program: Program, other: Program): Promise<void> {
  await Promise.all([program.printed('subscribed'), other.printed('subscribed')]);
  const client = await openStream(await program.url());
  other.signal('SIGUSR2');
  expect(json((await client.event('crossed')).data)).toMatchObject({ from: 'other' });
}

export const CROSS = `${SERVE_ANN}process.on('SIGUSR2', () => sse.publishToUser('ann', { from: 'other' }, { event: 'crossed' }));`;

/** Two instances of the program cross over, behind sentinels where the documentation has one. */
export function onSentinels(name: string): Run {
  return {
    redis: true,
    after: CROSS,
    async env() {
      const { sentinels, primary } = await startSentinels();
      const [sentinel] = sentinels;
      if (sentinel === undefined) throw new Error('there is no sentinel');
      const client = new Redis(sentinel.port, sentinel.host);
      await client.call('SENTINEL', 'MONITOR', 'mymaster', '127.0.0.1', primary.port, 2);
      client.disconnect();
      return { PORTS: JSON.stringify({ 26379: sentinel.port }) };
    },
    async drive(program, start) {
      await crossOver(program, start(name, program.env));
    },
  };
}
