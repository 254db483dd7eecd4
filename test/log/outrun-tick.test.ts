import { expect, it } from 'vitest';
import { openStream } from '../helpers/client.js';
import { gapsOf, LOG, logHub, told, untilPlaced } from '../helpers/log.js';
import { startRedis } from '../helpers/redis.js';

it('tells of no gap where nothing but ticks has left a log with uncounted entries, however short its window', async () => {
  const redis = await startRedis();
  const raw = redis.client();
  const { sse, url } = await logHub(redis.url, { log: { windowMs: 1000 } });
  await raw.xadd(LOG, '*', 'm', '{"type":"all","data":"uncounted"}');
  const client = await openStream(`${url}/ann`);
  await untilPlaced(client);
  let last = '';
  const isNextTick = async () => {
    const [[id, [kind]] = ['', []]] = await raw.xrevrange(LOG, '+', '-', 'COUNT', 1);
    const isNext = kind === 'tick' && id !== last;
    last = id;
    return isNext;
  };
  for (let tick = 0; tick < 4; tick += 1) {
    await expect.poll(isNextTick, { timeout: 5000 }).toBe(true);
    await raw.xtrim(LOG, 'MAXLEN', 1);
  }
  await sse.publishToAll('next');
  await client.until((reader) => told(reader).some(({ data }) => data === '"next"'));
  expect(gapsOf(client)).toEqual([]);
});
