import { expect, it } from 'vitest';
import { blockNamed } from '../docs/markdown.js';
import { openStream } from '../helpers/client.js';
import {
  commandCalls,
  dataOf,
  gapsOf,
  LOG,
  logHub,
  range,
  TICK,
  told,
  untilPlaced,
  untilTold,
} from '../helpers/log.js';
import { startProxy } from '../helpers/proxy.js';
import { freePort, startRedis } from '../helpers/redis.js';
import { stopwatch } from '../helpers/stopwatch.js';

const PATIENCE = { interval: 20 };

it('waits for a Redis that is not there yet, and so do its clients', async () => {
  const redis = await startRedis();
  await redis.kill();
  const a = await logHub(redis.url, { early: true });
  const early = await openStream(`${a.url}/ann`);
  await expect(a.sse.publishToAll(0)).rejects.toMatchObject({
    code: 'PUBLISH_REFUSED',
    outcome: 'refused',
    delivered: 0,
  });
  expect(a.sse.stats().bus.state).toBe('connecting');
  await redis.start();
  await a.sse.ready();
  await a.sse.publishToUser('ann', 1);
  await untilTold(early, 1);
  expect(told(early).map(({ data }) => data)).toEqual(['1']);
  expect(a.sse.stats().bus.state).toBe('up');
});

it('rejects what is published while Redis is away, delivers nothing of it, and goes on without a gap', async () => {
  const redis = await startRedis(['--appendonly', 'yes', '--appendfsync', 'always']);
  const a = await logHub(redis.url);
  const client = await openStream(`${a.url}/ann`);
  await a.sse.publishToAll(0);
  await untilTold(client, 1);
  await redis.kill();
  await expect.poll(() => a.sse.stats().bus.state, PATIENCE).toBe('down');
  for (const publish of [
    () => a.sse.publishToAll(1, { key: 'k' }),
    () => a.sse.publishToUser('ann', { requestId: 'r' }),
  ]) {
    await expect(publish()).rejects.toMatchObject({ code: 'PUBLISH_REFUSED', outcome: 'refused', delivered: 0 });
  }
  expect(a.errors.map(({ code }) => code)).toContain('BUS_DOWN');
  await redis.start();
  await a.sse.ready();
  await a.sse.publishToAll(1, { key: 'k' });
  await a.sse.publishToAll(2);
  await untilTold(client, 3);
  expect(dataOf(client)).toEqual([0, 1, 2]);
  expect(gapsOf(client)).toEqual([]);
});

it('loses and doubles nothing while its tail is cut off again and again under load', async () => {
  const redis = await startRedis();
  const [a, b] = [await logHub(redis.url), await logHub(redis.url)];
  const clients = [await openStream(`${a.url}/ann`), await openStream(`${b.url}/ann`)];
  const admin = redis.client();
  const cutTails = async () => {
    const list = String(await admin.call('CLIENT', 'LIST')).split('\n');
    const tails = list.filter((line) => / cmd=xread /.test(line)).map((line) => /^id=(\d+)/.exec(line)?.[1] ?? '');
    for (const id of tails) await admin.call('CLIENT', 'KILL', 'ID', id);
    return tails.length;
  };
  let cut = 0;
  for (let round = 0; round < 20; round += 1) {
    await Promise.all(range(round * 50, round * 50 + 50).map((n) => (n % 2 === 0 ? a : b).sse.publishToUser('ann', n)));
    cut += await cutTails();
    if (round % 5 === 0) await Promise.all([a.sse.ready(), b.sse.ready()]);
  }
  await Promise.all(clients.map((client) => untilTold(client, 1000)));
  expect(cut).toBeGreaterThanOrEqual(5);
  expect(clients.map((client) => [...dataOf(client)].sort((x, y) => x - y))).toEqual([range(0, 1000), range(0, 1000)]);
  expect(clients[0] && told(clients[0])).toEqual(clients[1] && told(clients[1]));
  expect([...a.gaps, ...b.gaps]).toEqual([]);
});

it('replaces connections whose other end is gone without a word', async () => {
  const redis = await startRedis();
  const proxy = await startProxy(redis.port);
  const [a, b] = [await logHub(proxy.url), await logHub(redis.url)];
  const client = await openStream(`${a.url}/ann`);
  await untilPlaced(client);
  proxy.strand();
  const late = a.sse.publishToAll('unanswered');
  const elapsed = stopwatch();
  await expect(late).rejects.toMatchObject({ code: 'PUBLISH_UNANSWERED', outcome: 'unknown', delivered: 0 });
  expect(elapsed()).toBeLessThan(5500);
  await b.sse.publishToAll('heard');
  await client.until((reader) => told(reader).some(({ data }) => data === '"heard"'));
  const publish = () => a.sse.publishToAll('spoken', { key: 'k' }).then(() => 'taken', String);
  await expect.poll(publish, PATIENCE).toBe('taken');
  await client.until((reader) => told(reader).some(({ data }) => data === '"spoken"'));
  expect(dataOf(client).filter((data) => data !== 'unanswered')).toEqual(['heard', 'spoken']);
}, 30_000);

it('tells of a Redis that is full, and delivers again when it is not', async () => {
  const redis = await startRedis();
  const a = await logHub(redis.url);
  const client = await openStream(`${a.url}/ann`);
  await untilPlaced(client);
  const admin = redis.client();
  await admin.config('SET', 'maxmemory', '1');
  await expect(a.sse.publishToAll({ requestId: 'r' }, { key: 'k' })).rejects.toMatchObject({
    code: 'PUBLISH_REFUSED',
    outcome: 'refused',
    delivered: 0,
    message: expect.stringContaining('OOM'),
  });
  // Ticks trim the log, which makes room.
  const end = () => admin.call('XREVRANGE', '{ssekify:bus}:log', '+', '-', 'COUNT', '1').then(String);
  const before = await end();
  await expect.poll(end, PATIENCE).not.toBe(before);
  await admin.config('SET', 'maxmemory', '0');
  await a.sse.publishToAll({ requestId: 'r' }, { key: 'k' });
  await untilTold(client, 1);
  expect(dataOf(client)).toMatchObject([{ seq: 0 }]);
});

it('tells of no gap where nothing was appended because Redis refused it', async () => {
  const redis = await startRedis();
  const admin = redis.client();
  // With the rights that the documentation gives a hub, and no more.
  const [, ...words] = blockNamed('lossless-acl').code.trim().split(' ');
  await admin.call('ACL', ...words);
  const a = await logHub(`redis://ssekify:a-long-password@127.0.0.1:${redis.port}`);
  const client = await openStream(`${a.url}/ann`);
  await untilPlaced(client);
  await a.sse.publishToAll(1);
  await admin.call('ACL', 'SETUSER', 'ssekify', '-xadd');
  await expect(a.sse.publishToAll(2)).rejects.toMatchObject({ code: 'PUBLISH_REFUSED', outcome: 'refused' });
  await admin.call('ACL', 'SETUSER', 'ssekify', '+xadd');
  await a.sse.publishToAll(3);
  await untilTold(client, 2);
  expect(dataOf(client)).toEqual([1, 3]);
  expect(a.gaps).toEqual([]);
});

it.each(['set', 'xtrim'])(
  'appends nothing that it refuses, and once what has a key, without the right to %s',
  async (command) => {
    const redis = await startRedis();
    const admin = redis.client();
    const a = await logHub(redis.url);
    const client = await openStream(`${a.url}/ann`);
    await untilPlaced(client);
    await admin.call('ACL', 'SETUSER', 'default', `-${command}`);
    const publish = (n: number) => a.sse.publishToAll(n, { key: `${n}` }).then(() => 'taken', Object);
    const outcomes = await Promise.all(range(0, 64).map(publish));
    for (const each of outcomes) if (each !== 'taken') expect(each).toMatchObject({ outcome: 'refused', delivered: 0 });
    await admin.call('ACL', 'SETUSER', 'default', '+@all');
    const retried = range(0, 64).filter((n) => outcomes[n] !== 'taken');
    expect(await Promise.all(retried.map(publish))).toEqual(retried.map(() => 'taken'));
    await a.sse.publishToAll('end');
    await client.until((reader) => told(reader).some(({ data }) => data === '"end"'));
    expect(dataOf(client)).toHaveLength(65);
    expect(a.gaps).toEqual([]);
  },
);

it('ticks on where somebody wrote in the place of the last tick’s time what is none', async () => {
  const redis = await startRedis();
  const admin = redis.client();
  await admin.set(TICK, 'now');
  const a = await logHub(redis.url);
  const ticks = async () => (await admin.xrange(LOG, '-', '+')).filter(([, [kind]]) => kind === 'tick').length;
  await expect.poll(ticks, PATIENCE).toBe(1);
  expect(a.errors).toEqual([]);
});

it('ticks on when the clock of Redis has stepped back', async () => {
  const redis = await startRedis();
  const admin = redis.client();
  // What the clock leaves: the last tick was in what is the future now, and what expires does so an hour later.
  const future = () => admin.set(TICK, Date.now() + 3_600_000, 'PX', 3_600_000);
  await future();
  const a = await logHub(redis.url);
  const client = await openStream(`${a.url}/ann`);
  await untilPlaced(client);
  const ticks = async () => (await admin.xrange(LOG, '-', '+')).filter(([, [kind]]) => kind === 'tick').length;
  await expect.poll(ticks, PATIENCE).toBe(1);
  await future();
  const { entriesRead } = a.sse.stats().log;
  await expect.poll(() => a.sse.stats().log.entriesRead, PATIENCE).toBeGreaterThan(entriesRead);
  expect(a.errors).toEqual([]);
  expect(a.sse.stats().bus).toMatchObject({ state: 'up', outages: 0 });
});

it('tells of no gap where a tick was refused and the log held nothing else', async () => {
  const redis = await startRedis();
  const admin = redis.client();
  const a = await logHub(redis.url);
  const client = await openStream(`${a.url}/ann`);
  await untilPlaced(client);
  const kinds = async () => (await admin.xrange(LOG, '-', '+')).map(([, [kind]]) => kind);
  await expect.poll(kinds, PATIENCE).toContain('tick');
  await admin.xtrim(LOG, 'MAXLEN', 1);
  const evals = async () => (await commandCalls(redis)).get('eval') ?? 0;
  await admin.call('ACL', 'SETUSER', 'default', '-xadd');
  const before = await evals();
  await expect.poll(evals, PATIENCE).toBeGreaterThan(before + 2);
  expect(a.errors.map(({ code }) => code)).toContain('BUS_ERROR');
  await admin.call('ACL', 'SETUSER', 'default', '+xadd');
  await a.sse.publishToAll(1);
  await untilTold(client, 1);
  expect(dataOf(client)).toEqual([1]);
  expect(a.gaps).toEqual([]);
});

it('rejects nobody’s unawaited publish into the void, and answers all that are awaited', async () => {
  const a = await logHub(`redis://127.0.0.1:${await freePort()}`, { early: true });
  for (const n of range(0, 100)) a.sse.publishToAll(n);
  a.sse.publishClose('ann');
  a.sse.ready();
  await expect(a.sse.publishToAll(1)).rejects.toMatchObject({ outcome: 'refused' });
  expect(a.sse.stats().bus).toMatchObject({ refused: 102, published: 0, pending: 0 });
});
