import { once } from 'node:events';
import net from 'node:net';
import { expect, it } from 'vitest';
import { atEnd } from '../helpers/cleanup.js';
import { logHub } from '../helpers/log.js';
import { startRedis } from '../helpers/redis.js';

/** Passes on to Redis what is sent to a port, with an id in it that none knows where Redis 6.2 has a new one. */
async function pretendOlder(target: number): Promise<string> {
  const server = net.createServer((client) => {
    const redis = net.connect(target, '127.0.0.1');
    client.on('data', (sent) => redis.write(sent.toString('latin1').replaceAll("'(0'", "'=0'"), 'latin1'));
    redis.on('data', (answer) => client.write(answer));
    for (const [end, other] of [
      [client, redis],
      [redis, client],
    ] as const) {
      end.on('error', () => undefined);
      end.on('close', () => other.destroy());
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  atEnd(() => {
    server.close();
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return `redis://127.0.0.1:${address.port}`;
}

it('says that Redis is too old, and does not call itself ready', async () => {
  const redis = await startRedis();
  const { sse, errors } = await logHub(await pretendOlder(redis.port), { early: true });
  await expect.poll(() => errors.map(({ message }) => message).join()).toContain('needs Redis 6.2 or newer');
  expect(sse.stats().bus.state).toBe('connecting');
  expect(await redis.client().exists('{ssekify:bus}:log')).toBe(0);
});
