import { spawn } from 'node:child_process';
import { once } from 'node:events';
import { resolve } from 'node:path';
import { expect, it } from 'vitest';
import { bundled } from '../helpers/child.js';
import { atEnd } from '../helpers/cleanup.js';
import { openStream } from '../helpers/client.js';
import { startRedis } from '../helpers/redis.js';

const TOKENS = 400;

/** An instance that answers streams, says one text by a task, and is slow enough to be killed meanwhile. */
const INSTANCE = `
  import http from 'node:http';
  import { setTimeout as wait } from 'node:timers/promises';
  import { createRedisStreamAdapter, SSEKify } from ${JSON.stringify(resolve('src/index.ts'))};
  const sse = new SSEKify({ redis: createRedisStreamAdapter(process.env.REDIS) });
  await sse.ready();
  async function* model() {
    for (let token = 0; token < ${TOKENS}; token += 1) {
      if (token % 3 === 0) await wait(1);
      yield 'token ' + token;
    }
  }
  const server = http.createServer((req, res) => {
    if (req.method === 'GET') return sse.registerConnection('ann', res);
    sse.task('ann', { requestId: 'chat' }).pipe(model());
    res.end();
  });
  server.listen(0, '127.0.0.1', () => console.log(server.address().port));
`;

async function startInstance(file: string, redis: string) {
  const child = spawn(process.execPath, [file], {
    env: { ...process.env, REDIS: redis },
    stdio: ['ignore', 'pipe', 'inherit'],
  });
  const exited = once(child, 'exit');
  const kill = async () => {
    child.kill('SIGKILL');
    await exited;
  };
  atEnd(kill);
  const [port] = await Promise.race([
    once(child.stdout, 'data'),
    exited.then(() => Promise.reject(new Error('it ended before it listened'))),
  ]);
  return { url: `http://127.0.0.1:${String(port).trim()}/`, kill };
}

it.each([0, 1, 100, 300])(
  'goes on with a task elsewhere after kill -9 behind %i tokens, and shows each token once',
  { timeout: 60_000 },
  async (before) => {
    const redis = await startRedis();
    // Where the Redis client is found from.
    const file = await bundled(INSTANCE, resolve('node_modules'));
    const [first, second] = await Promise.all([startInstance(file, redis.url), startInstance(file, redis.url)]);
    const client = await openStream(first.url);
    await fetch(first.url, { method: 'POST', headers: { connection: 'close' } });
    await client.received(before + 1);
    await first.kill();
    await client.over;
    const back = await openStream(second.url, { lastEventId: client.lastEventId });
    await fetch(second.url, { method: 'POST', headers: { connection: 'close' } });
    await back.until(({ raw }) => raw.includes('"phase":"done"'));
    const told = [...client.events, ...back.events]
      .filter(({ event }) => event === 'notify')
      .map(({ data }) => JSON.parse(data));
    expect(told.map(({ payload }) => payload)).toEqual([
      ...Array.from({ length: TOKENS }, (_, n) => `token ${n}`),
      undefined,
    ]);
    expect(told.map(({ seq }) => seq)).toEqual(told.map((_, n) => n));
    expect([...client.events, ...back.events].filter(({ event }) => event === 'server:gap')).toEqual([]);
  },
);
