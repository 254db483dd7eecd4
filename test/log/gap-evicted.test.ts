import { expect, it } from 'vitest';
import { openStream } from '../helpers/client.js';
import { dataOf, gapsOf, LOG, logHub, range, told, untilTold } from '../helpers/log.js';
import { startRedis } from '../helpers/redis.js';

it('tells of one gap, before the first replayed event, where the log was cut at its most events', async () => {
  const redis = await startRedis();
  const log = { maxEvents: 100 };
  const a = await logHub(redis.url, { log });
  const client = await openStream(`${a.url}/ann`);
  await a.sse.publishToAll(-1);
  await untilTold(client, 1);
  client.close();
  // In pieces, so that the instance itself keeps up.
  for (let from = 0; from < 1000; from += 50) {
    await Promise.all(range(from, from + 50).map((n) => a.sse.publishToAll(n)));
    await expect.poll(() => a.sse.stats().log.ringItems, { interval: 2 }).toBe(from + 51);
  }
  const { lastEventId } = client;
  // The first instance still has all of it in memory; of the others, one holds nothing in memory.
  const [cold, bare] = [
    await logHub(redis.url, { log }),
    await logHub(redis.url, { log: { ...log, ringMaxBytes: 0 } }),
  ];
  const warm = await openStream(`${a.url}/ann`, { lastEventId });
  await untilTold(warm, 1000);
  expect(dataOf(warm)).toEqual(range(0, 1000));
  for (const hub of [cold, bare]) {
    const late = await openStream(`${hub.url}/ann`, { lastEventId });
    await late.until((reader) => told(reader).at(-1)?.data === '999');
    const [first, ...others] = told(late);
    expect(JSON.parse(first?.data ?? '')).toEqual({ lastEventId, reason: 'evicted' });
    expect(gapsOf(late)).toEqual(['evicted']);
    expect(others.length).toBeGreaterThanOrEqual(100);
    expect(others.length).toBeLessThanOrEqual(200);
    expect(others.map(({ data }) => Number(data))).toEqual(range(1000 - others.length, 1000));
    const again = await openStream(`${hub.url}/ann`, { lastEventId: others[0]?.id ?? '' });
    await untilTold(again, others.length - 1);
    expect(gapsOf(again)).toEqual([]);
  }
});

it('tells of a gap where the window has passed, by the log’s own time', async () => {
  const redis = await startRedis();
  const a = await logHub(redis.url, { log: { windowMs: 1000 } });
  const { id = '' } = await a.sse.publishToAll(0);
  await Promise.all(range(1, 300).map((n) => a.sse.publishToAll(n)));
  const firstIsGone = async () => {
    await Promise.all(range(0, 64).map((n) => a.sse.publishToAll(n)));
    const [first] = await redis.client().xrange(LOG, '-', '+', 'COUNT', 1);
    return Number.parseInt(first?.[0] ?? '', 10) > Number.parseInt(id, 10);
  };
  await expect.poll(firstIsGone, { interval: 100 }).toBe(true);
  const late = await openStream(`${a.url}/ann`, { lastEventId: id });
  await untilTold(late, 100);
  expect(told(late)[0]).toMatchObject({ event: 'server:gap' });
  expect(gapsOf(late)).toEqual(['evicted']);
  expect(a.sse.stats().gaps.evicted).toBe(1);
});

it('tells of no gap to a client that comes back to a room whose events it got while it was there', async () => {
  const redis = await startRedis();
  const a = await logHub(redis.url, { log: { ringMaxBytes: 0 } });
  const { id: lastEventId = '' } = await a.sse.publishToAll('before');
  const client = await openStream(`${a.url}/ann?rooms=r`, { lastEventId });
  const ann = await a.handle(0);
  for (const n of range(0, 5)) await a.sse.publishToRoom('r', n);
  await untilTold(client, 5);
  for (let times = 0; times < 2; times += 1) {
    ann.leave('r');
    ann.join('r', { replay: true });
  }
  expect(a.gaps).toEqual([]);
  ann.leave('r');
  await a.sse.publishToRoom('r', 'missed');
  await a.sse.publishToUser('ann', 'there');
  await untilTold(client, 6);
  ann.join('r', { replay: true });
  expect(a.gaps).toMatchObject([{ reason: 'evicted' }]);
});
