import { expect, it } from 'vitest';
import { openStream } from '../helpers/client.js';
import { dataOf, LOG, logHub, range, told } from '../helpers/log.js';
import { startNarrowProxy } from '../helpers/narrow-proxy.js';
import { startRedis } from '../helpers/redis.js';

it('reads large events over a link that takes longer for 500 than a connection may be silent', async () => {
  const redis = await startRedis();
  const raw = redis.client();
  const message = JSON.stringify({ type: 'user', target: 'ann', data: 'x'.repeat(100_000) });
  const ids = await Promise.all(range(0, 200).map(() => raw.xadd(LOG, '*', 'm', message)));
  // 5 s for all of it.
  const { url } = await startNarrowProxy(redis.port, 4_000_000);
  const a = await logHub(url, { log: { ringMaxBytes: 0 } });
  expect(a.errors).toEqual([]);
  const client = await openStream(`${a.url}/ann`, { lastEventId: ids[0] ?? '' });
  // They come out of Redis, beside what is published.
  for (let n = 0; told(client).length < 199; n += 1) {
    await a.sse.publishToUser('bob', n);
    await client.until(({ events }) => events.length > n);
  }
  expect(dataOf(client)).toHaveLength(199);
  expect(a.errors).toEqual([]);
}, 40_000);
