import { expect, it } from 'vitest';
import { openStream } from '../helpers/client.js';
import { gapsOf, logHub, range, told, untilTold } from '../helpers/log.js';
import { type RedisServer, startRedis } from '../helpers/redis.js';

const RINGS = [
  ['memory', {}],
  ['Redis', { ringMaxBytes: 0 }],
] as const;

const hubOf = (redis: RedisServer, channel: string, log = {}) =>
  logHub(redis.url, { hub: { channel, keepAliveMs: 100 }, log });

/** Ids of two logs may be the same within a millisecond. */
async function nextMs(): Promise<void> {
  const now = Date.now();
  await expect.poll(() => Date.now(), { interval: 1 }).toBeGreaterThan(now);
}

/** The id of a sign of life that a client of this log was moved to, and that is gone by now. */
async function goneTick(redis: RedisServer, channel: string, url: string): Promise<string> {
  const raw = redis.client();
  const log = `{${channel}}:log`;
  const client = await openStream(`${url}/ann`);
  const isTick = async () => (await raw.xrange(log, client.lastEventId || '-', '+'))[0]?.[1][0] === 'tick';
  await expect.poll(isTick, { timeout: 5000 }).toBe(true);
  const id = client.lastEventId;
  client.close();
  await expect.poll(async () => (await raw.xrange(log, id, id)).length, { timeout: 5000 }).toBe(0);
  return id;
}

it.each(RINGS)('tells a client of a gap whose position is of another log, read out of %s', async (_, log) => {
  const redis = await startRedis();
  const [mine, other] = [await hubOf(redis, 'mine', log), await hubOf(redis, 'other')];
  await mine.sse.publishToAll('before');
  await nextMs();
  const { id: amid = '' } = await other.sse.publishToAll('of the other');
  await nextMs();
  await mine.sse.publishToAll('behind');
  const tick = await goneTick(redis, 'other', other.url);
  for (const lastEventId of [amid, tick]) {
    const client = await openStream(`${mine.url}/ann`, { lastEventId });
    await untilTold(client, 1);
    await mine.sse.publishToAll('next');
    await untilTold(client, 2);
    expect(told(client).map(({ event, data }) => (event === 'server:gap' ? JSON.parse(data) : data))).toEqual([
      { lastEventId, reason: 'unknown' },
      '"next"',
    ]);
    const again = await openStream(`${mine.url}/ann`, { lastEventId: client.lastEventId });
    await mine.sse.publishToAll('last');
    await untilTold(again, 1);
    expect(gapsOf(again)).toEqual([]);
  }
});

it('tells a client of a gap whose position another log has just given, and nothing is said in its own', async () => {
  const redis = await startRedis();
  const [mine, other] = [await hubOf(redis, 'mine'), await hubOf(redis, 'other')];
  await mine.sse.publishToAll('before');
  await nextMs();
  const { id: lastEventId = '' } = await other.sse.publishToAll('of the other');
  const client = await openStream(`${mine.url}/ann`, { lastEventId });
  await untilTold(client, 1);
  expect(gapsOf(client)).toEqual(['unknown']);
});

it('takes each position it has told, also that of a sign of life that is gone, wherever its client comes back', async () => {
  const redis = await startRedis();
  const a = await hubOf(redis, 'mine');
  const { id: first = '' } = await a.sse.publishToUser('bob', 'not for ann');
  const tick = await goneTick(redis, 'mine', a.url);
  await a.sse.publishJoin('nobody', 'room');
  const [[command = ''] = []] = await redis.client().xrevrange('{mine}:log', '+', '-', 'COUNT', 1);
  const later = await goneTick(redis, 'mine', a.url);
  const positions = [first, tick, command, later];
  const hubs = [a, await hubOf(redis, 'mine'), await hubOf(redis, 'mine', { ringMaxBytes: 0 })];
  const clients = await Promise.all(
    hubs.flatMap(({ url }) => positions.map((lastEventId) => openStream(`${url}/ann`, { lastEventId }))),
  );
  for (const data of range(0, 2)) await a.sse.publishToAll(data);
  for (const client of clients) {
    await untilTold(client, 2);
    expect(told(client).map(({ data }) => data)).toEqual(['0', '1']);
  }
});

it('takes a position right before a sign of life that is gone, to which a client was moved where a loss ended', async () => {
  const redis = await startRedis();
  const a = await hubOf(redis, 'mine');
  const raw = redis.client();
  const tick = await goneTick(redis, 'mine', a.url);
  const client = await openStream(`${a.url}/ann`);
  const now = Date.now() + 5000;
  const [event, next] = [`${now}-0`, `${now}-${tick.split('-')[1]}`];
  const n = Number(await raw.get('{mine}:count')) + 1;
  await raw
    .multi()
    .set('{mine}:count', n)
    .xadd('{mine}:log', event, 'm', '{"type":"all","data":"lost"}', 'n', n)
    .xadd('{mine}:log', next, 'tick', event, 'n', n)
    .xtrim('{mine}:log', 'MAXLEN', 1)
    .exec();
  await untilTold(client, 1);
  expect(gapsOf(client)).toEqual(['evicted']);
  const lastEventId = client.events.find(({ id }) => id?.startsWith(`${now}-`) === true)?.id ?? '';
  expect(lastEventId).not.toBe('');
  client.close();
  await expect.poll(async () => (await raw.xrange('{mine}:log', next, next)).length, { timeout: 9000 }).toBe(0);
  for (const log of [{}, { ringMaxBytes: 0 }]) {
    const b = await hubOf(redis, 'mine', log);
    const again = await openStream(`${b.url}/ann`, { lastEventId });
    await a.sse.publishToAll('next');
    await untilTold(again, 1);
    expect(gapsOf(again)).toEqual([]);
  }
});

it.each(RINGS)(
  'takes that of a sign of life that is gone where the log begins with a later one, read out of %s',
  async (_, log) => {
    const redis = await startRedis();
    const { sse, url } = await hubOf(redis, 'mine', log);
    const lastEventId = await goneTick(redis, 'mine', url);
    await redis.client().xtrim('{mine}:log', 'MAXLEN', 1);
    for (const data of range(0, 2)) await sse.publishToAll(data);
    const client = await openStream(`${url}/ann`, { lastEventId });
    await untilTold(client, 2);
    expect(told(client).map(({ data }) => data)).toEqual(['0', '1']);
  },
);
