import { Redis } from 'ioredis';
import { describe, expect, it } from 'vitest';
import { createIORedisAdapter, createNodeRedisAdapter, type RedisLike, SSEKify } from '../../src/index.js';
import { atEnd } from '../helpers/cleanup.js';
import { openStream } from '../helpers/client.js';
import { collect } from '../helpers/emitted.js';
import { freePort, type RedisServer, startRedis } from '../helpers/redis.js';
import { endWithTest, serveHub } from '../helpers/server.js';

const adapters: [string, (url: string) => RedisLike][] = [
  ['ioredis', createIORedisAdapter],
  ['redis', createNodeRedisAdapter],
];

async function instance(redis: RedisLike, isReady = true) {
  const hub = await serveHub({ hub: { redis, recentBufferSize: 5000 }, register: { maxQueueItems: 5000 } });
  const errors = collect(hub.sse, 'error');
  if (isReady) await hub.sse.ready();
  const ann = await openStream(`${hub.url}/ann`);
  return { ...hub, errors, ann, said: () => ann.events.map(({ data }) => JSON.parse(data).n ?? JSON.parse(data)) };
}

/** How often the server has refused a channel; it keeps a count of each kind of refusal. */
async function refusals(client: Redis, channel: string): Promise<number> {
  const log = (await client.call('ACL', 'LOG')) as [string, number, ...unknown[]][];
  const counts = log.filter((entry) => entry.includes(channel)).map(([, count]) => count);
  return counts.reduce((sum, count) => sum + count, 0);
}

const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);
const hasNoDuplicates = (values: unknown[]) => new Set(values).size === values.length;

describe.each(adapters)('with %s', (_, make) => {
  const pair = async (): Promise<
    [RedisServer, Awaited<ReturnType<typeof instance>>, Awaited<ReturnType<typeof instance>>]
  > => {
    const redis = await startRedis();
    return [redis, await instance(make(redis.url)), await instance(make(redis.url))];
  };

  it('says to a hub that its adapter was closed with the one before it', async () => {
    const redis = await startRedis();
    const adapter = make(redis.url);
    const before = await instance(adapter);
    await before.sse.shutdown({ graceMs: 0 });
    const sse = new SSEKify({ redis: adapter });
    endWithTest(sse);
    const errors = collect(sse, 'error');
    await expect.poll(() => errors.length).toBe(1);
    expect(errors[0]).toMatchObject({ code: 'BUS_ERROR', message: expect.stringContaining('make a new one') });
    const ready = expect(sse.ready()).rejects.toMatchObject({ code: 'SHUTDOWN' });
    await expect(sse.publishToUser('ann', 1)).rejects.toMatchObject({ code: 'PUBLISH_REFUSED', delivered: 0 });
    await sse.shutdown({ graceMs: 0 });
    await ready;
  });

  it('starts without Redis, delivers here, and is ready once Redis is there', async () => {
    const redis = await startRedis();
    await redis.kill();
    const a = await instance(make(redis.url), false);
    await expect(a.sse.publishToUser('ann', { n: 0, requestId: 'k' })).rejects.toMatchObject({
      code: 'PUBLISH_REFUSED',
      outcome: 'refused',
    });
    await expect(a.sse.publishToUser('ann', { n: 1 })).rejects.toMatchObject({ code: 'PUBLISH_REFUSED', delivered: 1 });
    expect(a.sse.sendToUser('ann', { n: 2 })).toBe(1);
    expect(a.sse.stats().bus.state).toBe('connecting');
    expect(a.errors.some(({ code }) => code === 'BUS_ERROR')).toBe(true);
    const ready = a.sse.ready();
    await redis.start();
    await ready;
    await a.sse.publishToUser('ann', { n: 3 });
    await a.ann.received(4);
    expect(a.said()).toEqual([0, 1, 2, 3]);
    expect(a.sse.stats().bus).toMatchObject({ state: 'up', outages: 0 });
  });

  it('keeps what is published before the first connection stands', async () => {
    const redis = await startRedis();
    const b = await instance(make(redis.url));
    const a = new SSEKify({ redis: make(redis.url) });
    endWithTest(a);
    const results = range(0, 20).map((n) => a.publishToUser('ann', { n, ...(n % 2 === 0 && { requestId: 'k' }) }));
    await Promise.all(results);
    await b.ann.received(20);
    expect(b.said()).toEqual(range(0, 20));
  });

  it('goes on when Redis is killed and comes back: at most once, then exactly once', async () => {
    const [redis, a, b] = await pair();
    const results: Promise<unknown>[] = [];
    const publish = (n: number) => {
      results.push(a.sse.publishToUser('ann', { n, ...(n % 2 === 0 && { requestId: 'k' }) }));
    };
    let n = 0;
    const until = async (end: number) => {
      for (; n < end; n += 1) {
        publish(n);
        if (n % 10 === 9) await new Promise((resolve) => setImmediate(resolve));
      }
    };
    await until(400);
    const killed = redis.kill();
    await until(600);
    await killed;
    await until(700);
    const started = redis.start();
    await until(1000);
    await started;
    await Promise.all([a.sse.ready(), b.sse.ready()]);
    const settled = await Promise.allSettled(results);
    await a.ann.received(1000);
    expect([...a.said()].sort((one, other) => one - other)).toEqual(range(0, 1000));
    expect(hasNoDuplicates(b.said())).toBe(true);
    expect(settled.some(({ status }) => status === 'rejected')).toBe(true);
    for (; n < 1100; n += 1) await a.sse.publishToUser('ann', { n, requestId: 'k' });
    await Promise.all([a.ann.received(1100), b.ann.until(() => b.said().includes(1099))]);
    expect(a.said().slice(1000)).toEqual(range(1000, 1100));
    // Some of the first thousand may reach it only now, and those of the outage never do; none comes twice, or late.
    expect(b.said().slice(-100)).toEqual(range(1000, 1100));
    expect(b.said()).toEqual([...b.said()].sort((one, other) => one - other));
    expect(hasNoDuplicates(b.said())).toBe(true);
    expect(a.sse.stats().bus).toMatchObject({ state: 'up', outages: 1, pending: 0 });
    expect(a.errors.filter(({ code }) => code === 'BUS_DOWN')).toHaveLength(1);
    const seqs = a.ann.events.map(({ data }) => JSON.parse(data).seq).filter((seq) => seq !== undefined);
    expect(hasNoDuplicates(seqs)).toBe(true);
  });

  it('signals a gap, and not silence, to clients from before an outage', async () => {
    const [redis, a, b] = await pair();
    await a.sse.publishToUser('ann', 0, { id: 'zero' });
    await Promise.all([a.ann.received(1), b.ann.received(1)]);
    await redis.kill();
    await redis.start();
    await Promise.all([a.sse.ready(), b.sse.ready()]);
    await expect.poll(() => b.sse.stats().bus).toMatchObject({ state: 'up', outages: 1 });
    const back = await openStream(`${b.url}/ann`, { lastEventId: 'zero' });
    expect(JSON.parse((await back.event('server:gap')).data)).toEqual({ lastEventId: 'zero', reason: 'evicted' });
  });

  it('takes a full Redis for a refusal, and goes on from memory', async () => {
    const [redis, a, b] = await pair();
    const client = redis.client();
    await a.sse.publishToUser('ann', { n: 0, requestId: 'k' });
    await a.ann.received(1);
    await client.config('SET', 'maxmemory', '1', 'maxmemory-policy', 'noeviction');
    await expect(a.sse.publishToUser('ann', { n: 1, requestId: 'k' })).rejects.toMatchObject({
      code: 'PUBLISH_REFUSED',
      outcome: 'refused',
      delivered: 1,
      message: expect.stringContaining('OOM'),
    });
    expect(a.errors).toMatchObject([{ code: 'SEQ_KV_FALLBACK', level: 'warn' }, { code: 'PUBLISH_REFUSED' }]);
    expect(a.sse.stats().lastSeqKvFallbackAt).toBeGreaterThan(0);
    await a.sse.publishToUser('ann', { n: 2 });
    await client.config('SET', 'maxmemory', '0');
    await a.sse.publishToUser('ann', { n: 3, requestId: 'k' });
    await Promise.all([a.ann.received(4), b.ann.received(3)]);
    expect(a.said()).toEqual([0, 1, 2, 3]);
    expect(b.said()).toEqual([0, 2, 3]);
    expect(a.ann.events.map(({ data }) => JSON.parse(data).seq)).toEqual([0, 1, undefined, 2]);
  });

  it.each([
    ['without a number', {}],
    ['with one', { requestId: 'k' }],
  ])('tells by the retry that clients had it before what came in the meantime, %s', async (_kind, fields) => {
    const [redis, a, b] = await pair();
    const client = redis.client();
    await client.call('ACL', 'SETUSER', 'default', 'resetchannels');
    await expect(client.publish('ssekify:bus', '')).rejects.toThrow();
    const error = await a.sse.publishToUser('ann', { n: 1, ...fields }).catch((cause) => cause);
    expect(error).toMatchObject({ code: 'PUBLISH_REFUSED', delivered: 1 });
    await client.call('ACL', 'SETUSER', 'default', 'allchannels');
    await Promise.all([a.sse.ready(), b.sse.ready()]);
    await expect.poll(() => b.sse.publishToUser('ann', { n: 2 }).then(() => 'taken', String)).toBe('taken');
    await a.sse.publishToUser('ann', { n: 1, ...fields }, { id: error.id });
    await b.ann.until(({ events }) => events.some(({ id }) => id === error.id));
    const moved = await openStream(`${b.url}/ann`, { lastEventId: error.id });
    await b.sse.publishToUser('ann', { n: 3 });
    await moved.until(({ events }) => events.some(({ data }) => data.includes('"n":3')));
    expect(moved.events[0]?.event).toBe('server:gap');
  });

  it('takes a replica for a refusal where a number is needed', async () => {
    const [redis, a] = await pair();
    const client = redis.client();
    await client.replicaof('127.0.0.1', await freePort());
    await expect(a.sse.publishToUser('ann', { n: 0, requestId: 'k' })).rejects.toMatchObject({
      code: 'PUBLISH_REFUSED',
      message: expect.stringContaining('READONLY'),
    });
    await client.replicaof('NO', 'ONE');
    await expect.poll(() => a.sse.publishToUser('ann', { n: 1, requestId: 'k' }).catch(() => undefined)).toBeDefined();
    await a.ann.until(() => a.said().includes(1));
    expect(a.said()[0]).toBe(0);
  });

  it('leaves a replica once, however much is under way there', async () => {
    const [redis, a] = await pair();
    const warnings: Error[] = [];
    const note = (warning: Error) => warnings.push(warning);
    process.on('warning', note);
    atEnd(() => void process.off('warning', note));
    const client = redis.client();
    await client.replicaof('127.0.0.1', await freePort());
    const publishes = range(0, 50).map((n) => a.sse.publishToUser('ann', { n, requestId: 'k' }));
    for (const { status } of await Promise.allSettled(publishes)) expect(status).toBe('rejected');
    await client.replicaof('NO', 'ONE');
    await expect.poll(() => a.sse.publishToUser('ann', { n: 50, requestId: 'k' }).catch(() => undefined)).toBeDefined();
    await a.ann.until(() => a.said().includes(50));
    expect(a.said().slice(0, 50)).toEqual(range(0, 50));
    expect(warnings).toEqual([]);
  });

  it.each(['pubsub', 'normal'])('restores its connections when those of type %s are killed', async (type) => {
    const [redis, a, b] = await pair();
    const client = redis.client();
    for (let n = 0; n < 6; n += 2) {
      await a.sse.publishToUser('ann', { n });
      await Promise.all([a.ann.received(n + 1), b.ann.received(n + 1)]);
      await client.call('CLIENT', 'KILL', 'TYPE', type, 'SKIPME', 'yes');
      await expect.poll(() => a.sse.stats().bus.outages).toBe(type === 'pubsub' ? n / 2 + 1 : 0);
      await Promise.all([a.sse.ready(), b.sse.ready()]);
      await expect.poll(() => b.sse.stats().bus).toMatchObject({ state: 'up', outages: a.sse.stats().bus.outages });
      const { id } = { id: `n ${n + 1}` };
      await expect.poll(() => a.sse.publishToUser('ann', { n: n + 1 }, { id }).catch(() => undefined)).toBeDefined();
      await Promise.all([a.ann.received(n + 2), b.ann.received(n + 2)]);
    }
    expect(a.said()).toEqual(range(0, 6));
    expect(b.said()).toEqual(range(0, 6));
    const pubsub = String(await client.call('CLIENT', 'LIST', 'TYPE', 'pubsub'));
    expect(pubsub.trim().split('\n')).toHaveLength(2);
  });

  it('tells of a wrong password, delivers here, and ends', async () => {
    const redis = await startRedis(['--requirepass', 'right']);
    const a = await instance(make(`redis://:wrong@127.0.0.1:${redis.port}`), false);
    await expect(a.sse.publishToUser('ann', { n: 0 })).rejects.toMatchObject({
      code: expect.stringMatching(/^PUBLISH_/),
    });
    await a.ann.received(1);
    await expect.poll(() => a.errors.some(({ message }) => /WRONGPASS|NOAUTH|password/i.test(message))).toBe(true);
    expect(a.sse.stats().bus.state).toBe('connecting');
    const admin = new Redis(redis.port, '127.0.0.1', { password: 'right' });
    await admin.config('SET', 'requirepass', 'wrong');
    admin.disconnect();
    await a.sse.ready();
  });

  it('tells that it may not use the channel, and uses it as soon as it may', async () => {
    const redis = await startRedis();
    const client = redis.client();
    await client.call('ACL', 'SETUSER', 'app', 'on', '>pw', '+@all', '~*', 'resetchannels');
    const a = await instance(make(`redis://app:pw@127.0.0.1:${redis.port}`), false);
    for (const data of [{ n: 0 }, { n: 1, requestId: 'k' }]) {
      await expect(a.sse.publishToUser('ann', data)).rejects.toMatchObject({
        code: 'PUBLISH_REFUSED',
        message: expect.stringMatching(/NOPERM|can't|permission/i),
      });
    }
    await a.ann.received(2);
    await expect.poll(() => a.errors.some(({ message }) => /NOPERM/.test(message))).toBe(true);
    const ready = a.sse.ready();
    await client.call('ACL', 'SETUSER', 'app', '&ssekify:*');
    await ready;
    await a.sse.publishToUser('ann', { n: 2, requestId: 'k' });
    await a.ann.received(3);
    expect(a.said()).toEqual([0, 1, 2]);
  });

  it('leaves other channels of an adapter alone when it may not use one', async () => {
    const redis = await startRedis();
    const client = redis.client();
    await client.call('ACL', 'SETUSER', 'app', 'on', '>pw', '+@all', '~*', 'resetchannels', '&good');
    const adapter = make(`redis://app:pw@127.0.0.1:${redis.port}`);
    const good = await serveHub({ hub: { redis: adapter, channel: 'good' } });
    const bad = await serveHub({ hub: { redis: adapter, channel: 'bad' } });
    const errors = [collect(good.sse, 'error'), collect(bad.sse, 'error')];
    await good.sse.ready();
    await expect.poll(() => errors[1]?.length).toBeGreaterThan(0);
    // The server has refused it a second time: a try, the pause after it, and the next try have left the other one alone.
    await expect.poll(() => refusals(client, 'bad')).toBeGreaterThan(1);
    expect(good.sse.stats().bus).toMatchObject({ state: 'up', outages: 0 });
    await client.call('ACL', 'SETUSER', 'app', '&bad');
    await bad.sse.ready();
    await bad.sse.publishToAll(1);
    expect(good.sse.stats().bus.outages).toBe(0);
  });

  it('leaves other channels of an adapter alone when it may not use one any more', async () => {
    const redis = await startRedis();
    const client = redis.client();
    await client.call('ACL', 'SETUSER', 'app', 'on', '>pw', '+@all', '~*', 'resetchannels', '&good', '&bad');
    const adapter = make(`redis://app:pw@127.0.0.1:${redis.port}`);
    const good = await serveHub({ hub: { redis: adapter, channel: 'good' } });
    const bad = await serveHub({ hub: { redis: adapter, channel: 'bad' } });
    const errors = [collect(good.sse, 'error'), collect(bad.sse, 'error')];
    await Promise.all([good.sse.ready(), bad.sse.ready()]);
    await client.call('ACL', 'SETUSER', 'app', 'resetchannels', '&good');
    await expect.poll(() => good.sse.stats().bus).toMatchObject({ state: 'up', outages: 1 });
    await expect.poll(() => bad.sse.stats().bus).toMatchObject({ state: 'down', outages: 1 });
    await expect.poll(() => errors.every((each) => each.some(({ message }) => /NOPERM/.test(message)))).toBe(true);
    await client.call('ACL', 'SETUSER', 'app', '&bad');
    await bad.sse.ready();
    expect(good.sse.stats().bus.state).toBe('up');
  });

  it('delivers here in call order, with numbers and without, while there is no Redis', async () => {
    const redis = await startRedis();
    await redis.kill();
    const a = await instance(make(redis.url), false);
    await expect(a.sse.publishToUser('ann', { n: 0 })).rejects.toMatchObject({ code: 'PUBLISH_REFUSED' });
    const publishes = range(1, 10).map((n) =>
      a.sse.publishToUser('ann', { n, ...(n % 2 === 0 && { requestId: 'k' }) }),
    );
    for (const { status } of await Promise.allSettled(publishes)) expect(status).toBe('rejected');
    await a.ann.received(10);
    expect(a.said()).toEqual(range(0, 10));
  });

  it('lets no answer be missed because this process was held up', async () => {
    const [, a] = await pair();
    const publishes = range(0, 10).map((n) =>
      a.sse.publishToUser('ann', { n, ...(n % 2 === 0 && { requestId: 'k' }) }),
    );
    // What is written is on its way to Redis once the loop has turned.
    await new Promise((resolve) => setImmediate(resolve));
    const until = performance.now() + 5200;
    while (performance.now() < until);
    await Promise.all(publishes);
    await a.ann.received(10);
    expect(a.errors).toEqual([]);
    expect(a.sse.stats().bus.fallbacks).toBe(0);
  });
});
