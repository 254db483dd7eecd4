import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import { expect, it } from 'vitest';
import { atEnd } from '../helpers/cleanup.js';
import { openStream } from '../helpers/client.js';
import { dataOf, logHub, untilTold } from '../helpers/log.js';
import { startRedis } from '../helpers/redis.js';

const TIMEOUTS = { commandTimeout: 300, socketTimeout: 300, lazyConnect: true };

const clients = [
  { version: 6, clientOf: (port: number) => new Redis({ port, ...TIMEOUTS }) },
  { version: 5, clientOf: (port: number) => new Redis5({ port, ...TIMEOUTS }) },
];

it.each(clients)('follows the log whatever timeouts a client of ioredis $version has', async ({ clientOf }) => {
  const redis = await startRedis();
  const target = clientOf(redis.port);
  atEnd(() => target.disconnect());
  const { sse, url, errors } = await logHub(target);
  const client = await openStream(`${url}/ann`);
  const { entriesRead } = sse.stats().log;
  // Between them there is nothing to read.
  await expect.poll(() => sse.stats().log.entriesRead).toBeGreaterThan(entriesRead + 2);
  await sse.publishToUser('ann', 1);
  await untilTold(client, 1);
  expect(dataOf(client)).toEqual([1]);
  expect(errors).toEqual([]);
  expect(sse.stats().bus).toMatchObject({ state: 'up', outages: 0 });
});
