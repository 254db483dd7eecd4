import { expect, it } from 'vitest';
import { openStream } from '../helpers/client.js';
import { dataOf, LOG, logHubs, range, told, untilTold } from '../helpers/log.js';
import { startRedis } from '../helpers/redis.js';

it('delivers in the one order of the log on all instances, with stream ids, the publishers’ own included', async () => {
  const redis = await startRedis();
  const hubs = await logHubs(3, redis);
  const clients = await Promise.all(hubs.map(({ url }) => openStream(`${url}/ann?rooms=r`)));
  const published = await Promise.all(
    range(0, 150).map((n) => {
      const { sse } = hubs[n % 3] ?? hubs[0] ?? expect.fail();
      if (n % 5 === 0) return sse.publishToRoom('r', { n });
      return n % 2 === 0 ? sse.publishToUser('ann', { n }) : sse.publishToAll({ n });
    }),
  );
  await Promise.all(clients.map((client) => untilTold(client, 150)));
  const [first, ...others] = clients.map(told);
  for (const other of others) expect(other).toEqual(first);
  const log = await redis.client().xrange(LOG, '-', '+');
  const ids = log.filter(([, fields]) => fields[0] === 'm').map(([id]) => id);
  expect(first?.map(({ id }) => id)).toEqual(ids);
  expect(published.map(({ id }) => id).sort()).toEqual([...ids].sort());
  expect(clients.map((client) => new Set(dataOf(client).map(({ n }) => n)).size)).toEqual([150, 150, 150]);
  for (const { errors, gaps } of hubs) expect([errors, gaps]).toEqual([[], []]);
});

it('keeps call order for un-awaited publishes of one instance', async () => {
  const redis = await startRedis();
  const [a, b] = await logHubs(2, redis, { hub: { serializer: (data) => JSON.stringify(data, null, 1) } });
  const client = await openStream(`${b?.url}/ann`);
  const results = range(0, 200).map((n) => a?.sse.publishToUser('ann', n % 3 === 0 ? { n, requestId: 'k' } : { n }));
  await untilTold(client, 200);
  expect(dataOf(client).map(({ n }) => n)).toEqual(range(0, 200));
  const ids = (await Promise.all(results)).map((result) => result?.id);
  expect(told(client).map(({ id }) => id)).toEqual(ids);
});
