import { expect, it } from 'vitest';
import { openStream } from '../helpers/client.js';
import { collect } from '../helpers/emitted.js';
import { dataOf, gapsOf, type LogHubOptions, logHub, range, told, untilPlaced } from '../helpers/log.js';
import { startRedis } from '../helpers/redis.js';
import { turn } from '../helpers/stall.js';

const FOUR_KB = 'x'.repeat(4000);
/** More than sockets hold, in fewer events. */
const LARGE = 'x'.repeat(20_000);

/** Megabytes take their time by way of a Redis on a busy machine. */
const PATIENT = { interval: 5, timeout: 15_000 };

/** A client that does not read, and what was published to it meanwhile. */
async function fallBehind(count: number, options: LogHubOptions = {}, text = LARGE) {
  const redis = await startRedis();
  const a = await logHub(redis.url, options);
  const client = await openStream(`${a.url}/ann`);
  await untilPlaced(client);
  client.pause();
  for (let from = 0; from < count; from += 500) {
    await Promise.all(range(from, Math.min(count, from + 500)).map((n) => a.sse.publishToUser('ann', { n, text })));
  }
  await expect.poll(() => a.sse.stats().bus.received, PATIENT).toBe(count);
  return { redis, a, client };
}

const numbersOf = (client: Parameters<typeof told>[0]): number[] => dataOf(client).map(({ n }) => n);
const has = (client: Parameters<typeof told>[0], n: number) =>
  told(client).some(({ data }) => data.includes(`"n":${n},`));

it('loses, repeats and reorders nothing of 5,000 events that pass while a client does not read', async () => {
  const { a, client } = await fallBehind(5000, {}, FOUR_KB);
  const { queueItemsMax, queueBytesMax, log, droppedOldest, droppedNewest } = a.sse.stats();
  expect(log.leftBehind).toBeGreaterThanOrEqual(1);
  // What waits for it is one piece, wherever the end of the log is.
  expect(queueItemsMax).toBeLessThanOrEqual(100);
  expect(queueBytesMax).toBeLessThanOrEqual(256 * 1024);
  client.resume();
  await client.until((reader) => has(reader, 4999));
  await a.sse.publishToUser('ann', { n: 5000, last: true });
  await client.until((reader) => has(reader, 5000));
  expect(numbersOf(client)).toEqual(range(0, 5001));
  expect([...gapsOf(client), droppedOldest, droppedNewest, a.errors.length]).toEqual([0, 0, 0]);
});

it('disconnects such a client when dropPolicy is disconnect, which then resumes', async () => {
  const { a, client } = await fallBehind(1000, { register: { dropPolicy: 'disconnect' } });
  expect(a.sse.stats()).toMatchObject({ disconnectedByBackpressure: 1, connections: 0 });
  client.resume();
  await client.over;
  const again = await openStream(`${a.url}/ann`, { lastEventId: client.lastEventId });
  await again.until((reader) => has(reader, 999));
  expect([...numbersOf(client), ...numbersOf(again)]).toEqual(range(0, 1000));
});

it('disconnects a reader that falls out of what is in memory, which then resumes out of Redis', async () => {
  const redis = await startRedis();
  const a = await logHub(redis.url, { log: { ringMaxBytes: 1_000_000 } });
  const left = collect(a.sse, 'disconnect');
  const client = await openStream(`${a.url}/ann`);
  await untilPlaced(client);
  client.pause();
  await Promise.all(range(0, 1000).map((n) => a.sse.publishToUser('ann', { n, text: LARGE })));
  await expect.poll(() => a.sse.stats().bus.received, PATIENT).toBe(1000);
  client.resume();
  await client.over;
  expect(left).toMatchObject([{ reason: 'backpressure' }]);
  const again = await openStream(`${a.url}/ann`, { lastEventId: client.lastEventId });
  await again.until((reader) => has(reader, 999));
  expect([...numbersOf(client), ...numbersOf(again)]).toEqual(range(0, 1000));
  expect(gapsOf(again)).toEqual([]);
  const { resumesFromRedis, ringBytes } = a.sse.stats().log;
  expect(resumesFromRedis).toBe(1);
  expect(ringBytes).toBeLessThanOrEqual(1_000_000);
});

it('loses no frame larger than a queue may be when dropPolicy is disconnect', async () => {
  const { a, client } = await fallBehind(1000, { register: { dropPolicy: 'disconnect', maxQueueBytes: 10_000 } });
  client.resume();
  await client.until((reader) => has(reader, 999));
  expect(numbersOf(client)).toEqual(range(0, 1000));
  expect([...gapsOf(client), a.sse.stats().droppedNewest]).toEqual([0]);
});

it('brings a frame larger than a queue may be', async () => {
  const { a, client } = await fallBehind(1000, { register: { maxQueueBytes: 10_000 } });
  await a.sse.publishToUser('ann', { n: 1000, large: 'y'.repeat(500_000) });
  await a.sse.publishToUser('ann', { n: 1001, last: true });
  client.resume();
  await client.until((reader) => has(reader, 1001));
  expect(numbersOf(client)).toEqual(range(0, 1002));
});

it.each(['oldest', 'newest'] as const)(
  'drops no published event for what is live only, which it tells of, with dropPolicy %s',
  async (dropPolicy) => {
    const { a, client } = await fallBehind(1000, { register: { dropPolicy } });
    await turn();
    const accepted = range(0, 300).filter(() => a.sse.sendToUser('ann', { live: true }) === 1).length;
    expect(accepted).toBeGreaterThan(0);
    expect(accepted).toBeLessThan(300);
    await a.sse.publishToUser('ann', { n: 1000, last: true });
    client.resume();
    await client.until((reader) => has(reader, 1000));
    expect(numbersOf(client).filter((n) => n !== undefined)).toEqual(range(0, 1001));
    expect(dataOf(client).filter(({ live }) => live)).toHaveLength(accepted);
    expect(gapsOf(client)).toEqual(['dropped']);
  },
);
