import { expect, it } from 'vitest';
import { createRedisStreamAdapter, SSEKify, type SSEKifyOptions } from '../../src/index.js';
import { openStream } from '../helpers/client.js';
import { dataOf, logHub, logHubs, range, untilTold } from '../helpers/log.js';
import { startRedis } from '../helpers/redis.js';

const ways: [string, SSEKifyOptions, number][] = [
  ['in the text', {}, 0],
  ['from 1 on', { seq: { startAt: 1 } }, 1],
];

it.each(ways)(
  'numbers each key’s events from two instances in the log’s order with none left out, %s',
  async (_, hub, first) => {
    const redis = await startRedis();
    const [a, b] = await logHubs(2, redis, { hub });
    if (a === undefined || b === undefined) return expect.fail();
    const client = await openStream(`${a.url}/ann`);
    await Promise.all(
      range(0, 40).flatMap((n) => [
        a.sse.publishToUser('ann', { requestId: 'k', n }),
        b.sse.publishToUser('ann', { streamId: 'k', n }),
      ]),
    );
    await untilTold(client, 80);
    expect(dataOf(client).map(({ seq }) => seq)).toEqual(range(first, first + 80));
    expect(a.sse.stats()).toMatchObject({ seqIncrsRedis: 40, lastSeqKvFallbackAt: 0 });
  },
);

it('predicts numbers for a custom serializer, while another instance takes some too: none twice, none backwards', async () => {
  const redis = await startRedis();
  const [a, b] = await logHubs(2, redis, { hub: { serializer: (data) => JSON.stringify(data, null, 1) } });
  if (a === undefined || b === undefined) return expect.fail();
  const client = await openStream(`${a.url}/ann`);
  const numbered = range(0, 100).flatMap((n) =>
    [a, b].map(({ sse }) => sse.publishToUser('ann', { requestId: 'k', n })),
  );
  await Promise.all(numbered);
  await untilTold(client, 200);
  const seqs = dataOf(client).map(({ seq }) => seq);
  expect(seqs).toEqual([...new Set(seqs)].sort((one, other) => one - other));
  expect(a.sse.stats().bus.refused).toBe(0);
});

it('publishes data as it was when it was published, also where the number is needed first', async () => {
  const redis = await startRedis();
  const a = await logHub(redis.url, { hub: { serializer: (data) => JSON.stringify(data, null, 1) } });
  const client = await openStream(`${a.url}/ann`);
  const data = { requestId: 'k', in: { n: 0 } };
  const publishes = range(0, 3).map((n) => {
    data.in.n = n;
    return a.sse.publishToUser('ann', data);
  });
  data.in.n = -1;
  await Promise.all(publishes);
  await untilTold(client, 3);
  expect(dataOf(client)).toMatchObject(range(0, 3).map((n) => ({ in: { n }, seq: n })));
});

it('lets the counter of a final event expire soon, and others late', async () => {
  const redis = await startRedis();
  const a = await logHub(redis.url);
  await a.sse.publishToAll({ requestId: 'k' });
  const counter = '{ssekify:bus}:ssekify:seq:k';
  expect(await redis.client().pttl(counter)).toBeGreaterThan(80_000_000);
  await a.sse.publishToAll({ requestId: 'k', final: true });
  const left = await redis.client().pttl(counter);
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThanOrEqual(60_000);
});

it('counts in memory alone when told so', async () => {
  const redis = await startRedis();
  const a = await logHub(redis.url, { hub: { seq: { redis: null } } });
  const client = await openStream(`${a.url}/ann`);
  for (const n of range(0, 3)) await a.sse.publishToUser('ann', { n, requestId: 'k' });
  await untilTold(client, 3);
  expect(dataOf(client).map(({ seq }) => seq)).toEqual([0, 1, 2]);
  expect(await redis.client().keys('*seq*')).toEqual([]);
  expect(a.sse.stats()).toMatchObject({ seqIncrsLocal: 3, seqIncrsRedis: 0 });
});

it('refuses a store of its own for numbers', async () => {
  const redis = await startRedis();
  const adapter = createRedisStreamAdapter(redis.url);
  const store = { incr: async () => 1, expire: async () => 1 };
  expect(() => new SSEKify({ redis: adapter, seq: { redis: store } })).toThrow(
    expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining('options.seq.redis') }),
  );
  await adapter.close();
});
