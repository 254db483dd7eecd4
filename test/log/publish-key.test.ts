import { expect, it } from 'vitest';
import { SSEKify } from '../../src/index.js';
import { openStream } from '../helpers/client.js';
import { dataOf, LOG, logHub, logHubs, range, untilTold } from '../helpers/log.js';
import { startRedis } from '../helpers/redis.js';
import { endWithTest } from '../helpers/server.js';

it('appends what has one key once, however often and from wherever it is published, and resolves with the first id', async () => {
  const redis = await startRedis();
  const [a, b] = await logHubs(2, redis);
  if (a === undefined || b === undefined) return expect.fail();
  const client = await openStream(`${a.url}/ann`);
  const results = await Promise.all(
    range(0, 20).map((n) => (n % 2 === 0 ? a : b).sse.publishToUser('ann', { n, requestId: 'r' }, { key: 'paid' })),
  );
  results.push(await b.sse.publishToUser('ann', { again: true }, { key: 'paid' }));
  results.push(await b.sse.publishToRoom('elsewhere', { again: true }, { key: 'paid' }));
  expect(new Set(results.map(({ id }) => id)).size).toBe(1);
  await a.sse.publishToAll({ last: true, requestId: 'r' }, { key: 'another' });
  await untilTold(client, 2);
  expect(dataOf(client)).toMatchObject([{ seq: 0 }, { last: true, seq: 1 }]);
  const log = await redis.client().xrange(LOG, '-', '+');
  expect(log.filter(([, fields]) => fields[0] === 'm').map(([id]) => id)[0]).toBe(results[0]?.id);
  expect(a.errors).toEqual([]);
});

it('knows a key also where the number is predicted', async () => {
  const redis = await startRedis();
  const a = await logHub(redis.url, { hub: { serializer: (data) => JSON.stringify(data, null, 1) } });
  const first = await a.sse.publishToUser('ann', { requestId: 'r' }, { key: 'k' });
  expect(await a.sse.publishToUser('ann', { requestId: 'r' }, { key: 'k' })).toEqual(first);
  const client = await openStream(`${a.url}/ann`);
  await a.sse.publishToUser('ann', { requestId: 'r' });
  await untilTold(client, 1);
  expect(dataOf(client)).toMatchObject([{ seq: 1 }]);
});

it('takes no two keys for one, whatever they are cut out of', async () => {
  const redis = await startRedis();
  const a = await logHub(redis.url);
  const keys = ['a', 'a ', '"a"', '\\"a', '🚀'.slice(0, 1), '🤖'.slice(0, 1), '\ufffd', '\\ud83d', '\0', 'a:b'];
  const ids = await Promise.all(keys.map(async (key) => (await a.sse.publishToAll(key, { key })).id));
  expect(new Set(ids).size).toBe(keys.length);
  const again = await Promise.all(keys.map(async (key) => (await a.sse.publishToAll(key, { key })).id));
  expect(again).toEqual(ids);
});

it('remembers a key for the window', async () => {
  const redis = await startRedis();
  const a = await logHub(redis.url, { log: { windowMs: 1000 } });
  const first = await a.sse.publishToAll(1, { key: 'k' });
  const left = await redis.client().pttl('{ssekify:bus}:once:k');
  expect(left).toBeGreaterThan(0);
  expect(left).toBeLessThanOrEqual(1000);
  const retry = () => a.sse.publishToAll(1, { key: 'k' }).then(({ id }) => id);
  await expect.poll(retry, { interval: 100 }).not.toBe(first.id);
});

const refused = { code: 'INVALID_OPTION', message: expect.stringContaining('options.key') };

it('refuses a key that is none', async () => {
  const redis = await startRedis();
  const a = await logHub(redis.url);
  for (const key of ['', 'x'.repeat(1025), 'é'.repeat(513), 7, null, {}] as string[]) {
    await expect(a.sse.publish(1, 'ann', { key })).rejects.toMatchObject(refused);
  }
  expect((await a.sse.publishToAll(1, { key: 'x'.repeat(1024) })).id).toMatch(/^\d+-\d+$/);
  expect((await a.sse.publishToAll(1, { key: undefined })).id).toMatch(/^\d+-\d+$/);
});

it('refuses a key in any other mode', async () => {
  const redis = await startRedis();
  for (const options of [{}, { redis: redis.url }]) {
    const sse = new SSEKify(options);
    endWithTest(sse);
    sse.on('error', () => undefined);
    await sse.ready();
    await expect(sse.publishToAll(1, { key: 'k' })).rejects.toMatchObject(refused);
    await expect(sse.publishToRoom('r', 1, { key: 'k' })).rejects.toMatchObject(refused);
  }
});
