import { expect, it } from 'vitest';
import { openStream } from '../helpers/client.js';
import { dataOf, gapsOf, LOG, logHub, logHubs, range, untilPlaced, untilTold } from '../helpers/log.js';
import { startRedis } from '../helpers/redis.js';

it('gives a client that returns to another instance exactly what it missed: its own, its rooms’, everyone’s', async () => {
  const redis = await startRedis();
  const [a, b] = await logHubs(2, redis);
  if (a === undefined || b === undefined) return expect.fail();
  const before = await openStream(`${a.url}/ann?rooms=r`);
  await a.sse.publishToUser('ann', { n: 0 });
  await untilTold(before, 1);
  before.close();
  await a.sse.publishToUser('ann', { n: 1 });
  await b.sse.publishToRoom('r', { n: 2 });
  await b.sse.publishToRoom('other', { n: -1 });
  await a.sse.publishToAll({ n: 3 });
  await a.sse.publishToUser('bob', { n: -2 });
  await b.sse.publishToUser('ann', { n: 4 });
  const after = await openStream(`${b.url}/ann?rooms=r`, { lastEventId: before.lastEventId });
  await a.sse.publishToUser('ann', { n: 5 });
  await untilTold(after, 5);
  expect(dataOf(after).map(({ n }) => n)).toEqual(range(1, 6));
  // An instance that was not there then knows as much.
  const c = await logHub(redis.url);
  const third = await openStream(`${c.url}/ann?rooms=r`, { lastEventId: before.lastEventId });
  await untilTold(third, 5);
  expect(dataOf(third).map(({ n }) => n)).toEqual(range(1, 6));
  expect([...gapsOf(after), ...gapsOf(third)]).toEqual([]);
  expect(c.sse.stats().log).toMatchObject({ resumesFromMemory: 1, resumesFromRedis: 0 });
});

it('starts a client without a position live, and tells it at once where that is', async () => {
  const redis = await startRedis();
  const a = await logHub(redis.url);
  await a.sse.publishToAll({ n: 0 });
  const fresh = await openStream(`${a.url}/ann`);
  await untilPlaced(fresh);
  expect(fresh.events.map(({ event, data }) => [event, data])).toEqual([['server:cursor', '']]);
  await a.sse.publishToAll({ n: 1 });
  await untilTold(fresh, 1);
  expect(dataOf(fresh)).toMatchObject([{ n: 1 }]);
});

it('resumes a client that came back while nothing was said, though its position is that of a tick', async () => {
  const redis = await startRedis();
  const [a, b] = await logHubs(2, redis);
  const fresh = await openStream(`${a?.url}/ann`);
  await untilPlaced(fresh);
  fresh.close();
  await a?.sse.publishToAll({ n: 1 });
  const again = await openStream(`${b?.url}/ann`, { lastEventId: fresh.lastEventId });
  await untilTold(again, 1);
  expect(dataOf(again)).toMatchObject([{ n: 1 }]);
});

it('resumes on a new instance, without a gap, who came last when the log had long held nothing but ticks', async () => {
  const redis = await startRedis();
  const raw = redis.client();
  const a = await logHub(redis.url);
  await a.sse.publishToAll(0);
  const end = async () => (await raw.xrevrange(LOG, '+', '-', 'COUNT', 1))[0]?.[1][0];
  await expect.poll(end).toBe('tick');
  await raw.xtrim(LOG, 'MAXLEN', '=', 1);
  const fresh = await openStream(`${a.url}/ann`);
  await untilPlaced(fresh);
  fresh.close();
  const { lastEventId } = fresh;
  await expect.poll(() => raw.xrange(LOG, '-', lastEventId)).toEqual([]);
  const b = await logHub(redis.url);
  const again = await openStream(`${b.url}/ann`, { lastEventId });
  await b.sse.publishToAll(1);
  await untilTold(again, 1);
  expect(b.gaps).toEqual([]);
  expect(dataOf(again)).toEqual([1]);
});

it('gives what a room said before an instance began to one who was in it meanwhile, and joins it again for that', async () => {
  const redis = await startRedis();
  const a = await logHub(redis.url);
  const { id = '' } = await a.sse.publishToAll('position');
  for (const n of range(0, 5)) await a.sse.publishToRoom('r', n);
  const b = await logHub(redis.url, { early: true });
  const client = await openStream(`${b.url}/ann`, { lastEventId: id });
  const handle = await b.handle(0);
  handle.join('r');
  await b.sse.ready();
  await a.sse.publishToRoom('r', 'heard');
  await untilTold(client, 1);
  handle.leave('r');
  await a.sse.publishToRoom('r', 'away');
  await a.sse.publishToAll('end');
  await untilTold(client, 2);
  handle.join('r', { replay: true });
  await untilTold(client, 8);
  expect(dataOf(client)).toEqual(['heard', 'end', ...range(0, 5), 'away']);
  expect(gapsOf(client)).toEqual([]);
});
