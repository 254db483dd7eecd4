import { describe, expect, it } from 'vitest';
import { openStream, type StreamClient } from '../helpers/client.js';
import { COUNT, LOG, logHub, told } from '../helpers/log.js';
import { startProxy } from '../helpers/proxy.js';
import { type RedisServer, startRedis } from '../helpers/redis.js';

const until = (client: StreamClient, word: string) =>
  client.until((reader) => told(reader).some(({ data }) => data.includes(word)));

/** What a client was told, a gap as its reason. */
const saidTo = (client: StreamClient): string[] =>
  told(client).map(({ event, data }) => (event === 'server:gap' ? JSON.parse(data).reason : JSON.parse(data)));

/** Two instances with a client each, and the position of one that is away. */
async function scene(redis: RedisServer, urls = [redis.url, redis.url]) {
  const [a, b] = await Promise.all(urls.map((url) => logHub(url)));
  if (a === undefined || b === undefined) return expect.fail();
  const [atA, atB] = [await openStream(`${a.url}/ann`), await openStream(`${b.url}/ann`)];
  const say = async (word: string) => {
    await a.sse.publishToAll(word);
    await Promise.all([until(atA, word), until(atB, word)]);
  };
  await say('once');
  const away = atA.lastEventId;
  return { redis, a, b, atA, atB, say, away };
}

async function expectOneGap({ redis, a, b, atA, atB, away }: Awaited<ReturnType<typeof scene>>, before: string[] = []) {
  const publish = () => a.sse.publishToAll('back', { key: 'back' }).then(() => 'back', String);
  await expect.poll(publish, { interval: 50 }).toBe('back');
  await Promise.all([until(atA, 'back'), until(atB, 'back')]);
  for (const client of [atA, atB]) expect(saidTo(client)).toEqual(['once', ...before, 'reset', 'back']);
  // One that was away, at an instance that knows what was lost, and at one that knows nothing of it.
  const c = await logHub(redis.url);
  const returned = [
    await openStream(`${b.url}/ann`, { lastEventId: away }),
    await openStream(`${c.url}/ann`, { lastEventId: away }),
  ];
  for (const client of returned) {
    await until(client, 'back');
    expect(saidTo(client).filter((word) => !before.includes(word))).toEqual(['reset', 'back']);
  }
  // Nobody is told again.
  const positions = [atA, atB, ...returned].map(({ lastEventId }) => lastEventId);
  await b.sse.publishToAll('on');
  for (const lastEventId of positions) {
    const again = await openStream(`${c.url}/ann`, { lastEventId });
    await until(again, 'on');
    expect(saidTo(again).filter((word) => word !== 'on')).toEqual([]);
  }
}

describe('tells each client of one gap, and of no second one,', () => {
  it.each([
    ['FLUSHALL', (redis: RedisServer) => redis.client().flushall()],
    ['the log is deleted', (redis: RedisServer) => redis.client().del(LOG)],
    ['the log and its count are deleted', (redis: RedisServer) => redis.client().del(LOG, COUNT)],
    [
      'Redis restarts empty',
      async (redis: RedisServer) => {
        await redis.kill();
        await redis.start();
      },
    ],
  ])('when %s', async (_, lose) => {
    const stage = await scene(await startRedis());
    await lose(stage.redis);
    await expectOneGap(stage);
  });

  it('when Redis restarts from a snapshot that has not the end of the log', async () => {
    const stage = await scene(await startRedis());
    await stage.redis.client().call('SAVE');
    await stage.say('lost 1');
    await stage.say('lost 2');
    await stage.redis.kill();
    await stage.redis.start();
    await expectOneGap(stage, ['lost 1', 'lost 2']);
  });

  it('when an instance had appended, and not yet read, what such a snapshot has not', async () => {
    const stage = await scene(await startRedis());
    const admin = stage.redis.client();
    await admin.call('SAVE');
    await admin.call('ACL', 'SETUSER', 'default', '-xread');
    // Ends the reads that wait.
    await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    const publish = () => stage.a.sse.publishToAll('lost', { key: 'lost' }).then(() => 'there', String);
    await expect.poll(publish, { interval: 50 }).toBe('there');
    await stage.redis.kill();
    await stage.redis.start();
    await expectOneGap(stage);
  });

  it('when another published on such a snapshot in the place of what an instance had appended, and not yet read', async () => {
    const redis = await startRedis();
    const proxy = await startProxy(redis.port);
    const stage = await scene(redis, [proxy.url, proxy.url]);
    const admin = redis.client();
    await admin.call('SAVE');
    await admin.call('ACL', 'SETUSER', 'default', '-xread');
    await admin.call('CLIENT', 'KILL', 'TYPE', 'normal', 'SKIPME', 'yes');
    const publish = () => stage.a.sse.publishToAll('lost', { key: 'lost' }).then(() => 'there', String);
    await expect.poll(publish, { interval: 50 }).toBe('there');
    proxy.blackhole();
    await redis.kill();
    await redis.start();
    const c = await logHub(redis.url);
    for (const word of ['c 1', 'c 2']) await c.sse.publishToAll(word);
    proxy.heal();
    await Promise.all([stage.a.sse.ready(), stage.b.sse.ready()]);
    for (const client of [stage.atA, stage.atB]) {
      await until(client, 'reset');
      await until(client, 'c 2');
    }
    await stage.a.sse.publishToAll('back');
    for (const client of [stage.atA, stage.atB]) {
      await until(client, 'back');
      expect(saidTo(client).filter((word) => word !== 'reset')).toEqual(['once', 'c 1', 'c 2', 'back']);
      expect(saidTo(client).filter((word) => word === 'reset')).toHaveLength(1);
    }
  });

  it('when another published on such a snapshot before those who know more are back', async () => {
    const redis = await startRedis();
    const proxy = await startProxy(redis.port);
    const stage = await scene(redis, [proxy.url, proxy.url]);
    await redis.client().call('SAVE');
    await stage.say('lost 1');
    await stage.say('lost 2');
    proxy.blackhole();
    await redis.kill();
    await redis.start();
    const c = await logHub(redis.url);
    for (const word of ['c 1', 'c 2', 'c 3']) await c.sse.publishToAll(word);
    proxy.heal();
    await Promise.all([until(stage.atA, 'reset'), until(stage.atB, 'reset')]);
    await stage.a.sse.ready();
    await stage.a.sse.publishToAll('back');
    for (const client of [stage.atA, stage.atB]) {
      await until(client, 'back');
      const said = saidTo(client);
      expect(said.slice(0, 3)).toEqual(['once', 'lost 1', 'lost 2']);
      expect(said.filter((word) => word === 'reset')).toHaveLength(1);
      const others = said.slice(3).filter((word) => word !== 'reset');
      expect(others).toEqual(['c 1', 'c 2', 'c 3', 'back']);
    }
  });

  it.each([
    ['memory', {}],
    ['Redis', { log: { ringMaxBytes: 0 } }],
  ])('when all instances restart with it from such a snapshot, and read it out of %s', async (_, options) => {
    const stage = await scene(await startRedis());
    await stage.redis.client().call('SAVE');
    await stage.say('lost 1');
    const passed = stage.atA.lastEventId;
    await stage.say('lost 2');
    await stage.redis.kill();
    await Promise.all([stage.a.sse.shutdown({ graceMs: 0 }), stage.b.sse.shutdown({ graceMs: 0 })]);
    await stage.redis.start();
    const [c, d] = [await logHub(stage.redis.url, options), await logHub(stage.redis.url, options)];
    await c.sse.publishToAll('back');
    for (const { url } of [c, d]) {
      const client = await openStream(`${url}/ann`, { lastEventId: passed });
      await until(client, 'back');
      expect(saidTo(client)).toEqual(['reset', 'back']);
      const untouched = await openStream(`${url}/ann`, { lastEventId: stage.away });
      await until(untouched, 'back');
      expect(saidTo(untouched)).toEqual(['back']);
    }
    const quiet = await openStream(`${d.url}/ann`, { lastEventId: passed });
    await until(quiet, 'back');
    const again = await openStream(`${c.url}/ann`, { lastEventId: quiet.lastEventId });
    await c.sse.publishToAll('on');
    await until(again, 'on');
    expect(saidTo(again)).toEqual(['on']);
  });

  it('when all instances restarted with it so long ago that a window has passed, and another began since', async () => {
    const stage = await scene(await startRedis());
    const admin = stage.redis.client();
    await admin.call('SAVE');
    await stage.say('lost 1');
    const passed = stage.atA.lastEventId;
    await stage.say('lost 2');
    await stage.redis.kill();
    await Promise.all([stage.a.sse.shutdown({ graceMs: 0 }), stage.b.sse.shutdown({ graceMs: 0 })]);
    await stage.redis.start();
    const c = await logHub(stage.redis.url);
    await c.sse.publishToAll('back');
    await admin.xadd(LOG, `${Date.now() + 700_000}-0`, 'm', '{"type":"all","data":"far"}');
    const d = await logHub(stage.redis.url);
    await d.sse.publishToAll('now');
    for (const { url } of [c, d]) {
      const client = await openStream(`${url}/ann`, { lastEventId: passed });
      await until(client, 'now');
      expect(saidTo(client)).toEqual(['reset', 'back', 'far', 'now']);
    }
  });

  it('when its client comes back after a new instance and those who know more have both said so', async () => {
    const redis = await startRedis();
    const proxy = await startProxy(redis.port);
    const stage = await scene(redis, [proxy.url, proxy.url]);
    await redis.client().call('SAVE');
    await stage.say('lost');
    const passed = stage.atA.lastEventId;
    proxy.blackhole();
    await redis.kill();
    await redis.start();
    const c = await logHub(redis.url);
    await c.sse.publishToAll('c');
    proxy.heal();
    await Promise.all([until(stage.atA, 'reset'), until(stage.atB, 'reset')]);
    await c.sse.publishToAll('back');
    await until(stage.atA, 'back');
    for (const { url } of [stage.a, c]) {
      const client = await openStream(`${url}/ann`, { lastEventId: passed });
      await until(client, 'back');
      expect(saidTo(client)).toEqual(['c', 'reset', 'back']);
    }
  });

  it('when the ids of the lost log were ahead of Redis’ clock', async () => {
    const redis = await startRedis();
    await redis.client().xadd(LOG, `${Date.now() + 600_000}-7`, 'm', '{"type":"all","data":"far"}');
    const stage = await scene(redis);
    expect([...stage.a.errors, ...stage.b.errors]).toEqual([]);
    await redis.client().flushall();
    await expectOneGap(stage);
  });

  it('when a publisher that knows nothing began the log anew, behind what others have seen', async () => {
    const redis = await startRedis();
    await redis.client().xadd(LOG, `${Date.now() + 600_000}-7`, 'm', '{"type":"all","data":"far"}');
    const proxy = await startProxy(redis.port);
    const stage = await scene(redis, [proxy.url, proxy.url]);
    proxy.blackhole();
    await redis.client().flushall();
    const c = await logHub(redis.url);
    await c.sse.publishToAll('unseen');
    proxy.heal();
    await Promise.all([until(stage.atA, 'reset'), until(stage.atB, 'reset')]);
    await stage.a.sse.ready();
    await c.sse.publishToAll('back');
    for (const client of [stage.atA, stage.atB]) {
      await until(client, 'back');
      expect(saidTo(client)).toEqual(['once', 'reset', 'back']);
    }
  });
});
