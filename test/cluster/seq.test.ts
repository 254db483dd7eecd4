import { expect, it } from 'vitest';
import type { SeqOptions, SSEKifyOptions } from '../../src/index.js';
import { openStream, type StreamClient } from '../helpers/client.js';
import { collect } from '../helpers/emitted.js';
import { type RedisServer, startRedis } from '../helpers/redis.js';
import { serveHub } from '../helpers/server.js';

async function instances(options: SSEKifyOptions = {}, server?: RedisServer) {
  const redis = server ?? (await startRedis());
  const hub = { recentBufferSize: 1000, ...options, redis: redis.url };
  const [a, b] = [await serveHub({ hub }), await serveHub({ hub })];
  await Promise.all([a.sse.ready(), b.sse.ready()]);
  const [atA, atB] = [await openStream(`${a.url}/ann`), await openStream(`${b.url}/ann`)];
  return { redis, a: a.sse, b: b.sse, atA, atB };
}

const seqs = (client: StreamClient, field = 'seq'): number[] =>
  client.events.map(({ data }) => JSON.parse(data)[field]);
const isAscending = (numbers: number[]) =>
  numbers.every((each, index) => index === 0 || each > (numbers[index - 1] ?? 0));
const range = (from: number, to: number) => Array.from({ length: to - from }, (_, index) => from + index);

it('numbers what two instances publish without waiting, in one order, with none left out', async () => {
  const { a, b, atA, atB } = await instances();
  await Promise.all(
    range(0, 150).flatMap((n) => [
      a.publishToUser('ann', { requestId: 'one', n }),
      b.publishToUser('ann', { streamId: 'one', n }),
    ]),
  );
  await Promise.all([atA.received(300), atB.received(300)]);
  expect(atA.events).toEqual(atB.events);
  expect(seqs(atA)).toEqual(range(0, 300));
  expect(a.stats()).toMatchObject({ seqIncrsRedis: 150, seqIncrsLocal: 0, lastSeqKvFallbackAt: 0 });
});

const needNumberFirst: [string, SSEKifyOptions][] = [
  ['a custom serializer', { serializer: (data) => JSON.stringify(data, null, 1) }],
  ['an id function', { seq: { frameIdPolicy: (data, seq) => `${(data as { from: string }).from}-${seq}` } }],
];

for (const [what, options] of needNumberFirst) {
  for (const awaited of [true, false]) {
    it(`numbers ${awaited ? 'awaited' : 'un-awaited'} publishes of two instances with ${what}`, async () => {
      const { a, b, atA, atB } = await instances(options);
      const publish = async (sse: typeof a, from: string) => {
        const results: Promise<{ id: string | undefined }>[] = [];
        for (let n = 0; n < 150; n += 1) {
          const result = sse.publishToUser('ann', { requestId: 'one', from, n });
          results.push(result);
          if (awaited) await result;
        }
        return Promise.all(results);
      };
      const [fromA] = await Promise.all([publish(a, 'a'), publish(b, 'b')]);
      await Promise.all([atA.received(300), atB.received(300)]);
      expect(atA.events).toEqual(atB.events);
      expect(isAscending(seqs(atA))).toBe(true);
      const ofA = atA.events.filter(({ data }) => JSON.parse(data).from === 'a');
      expect(ofA.map(({ id }) => id)).toEqual(fromA.map(({ id }) => id));
      expect(ofA.map(({ data }) => JSON.parse(data).n)).toEqual(range(0, 150));
      expect(a.stats().bus).toMatchObject({ fallbacks: 0, duplicates: 0 });
    });
  }
}

it('goes on from the highest number with sendTo*, and lifts the counter with the next publish', async () => {
  const { redis, a, b, atA, atB } = await instances();
  const key = { requestId: 'k' };
  await a.publishToUser('ann', key);
  await atA.received(1);
  a.sendToUser('ann', key);
  a.sendToUser('ann', key);
  await a.publishToUser('ann', key);
  await b.publishToUser('ann', key);
  await Promise.all([atA.received(5), atB.received(3)]);
  expect(seqs(atA)).toEqual([0, 1, 2, 3, 4]);
  expect(seqs(atB)).toEqual([0, 3, 4]);
  b.sendToUser('ann', key);
  await atB.received(4);
  expect(seqs(atB).at(-1)).toBe(5);
  expect(await redis.client().get('ssekify:seq:k')).toBe('5');
});

it('goes on from a number that only arrived here', async () => {
  const { a, b, atB } = await instances();
  for (let n = 0; n < 3; n += 1) await a.publishToUser('ann', { requestId: 'k' });
  await atB.received(3);
  b.sendToUser('ann', { requestId: 'k' });
  await atB.received(4);
  expect(seqs(atB)).toEqual([0, 1, 2, 3]);
});

it('lets no absurd number from elsewhere end the counting', async () => {
  const { redis, a, atA } = await instances();
  const raw = redis.client();
  for (const seq of ['9007199254740991', '1e300', '-5', '1.5', '"7"']) {
    await raw.publish('ssekify:bus', `{"type":"all","data":{"requestId":"k","seq":${seq}}}`);
  }
  await atA.received(5);
  await a.publishToUser('ann', { requestId: 'k' });
  await atA.received(6);
  expect(seqs(atA).at(-1)).toBe(0);
});

it('lets a counter expire a day after its last number, and a minute after the final one', async () => {
  const { redis, a } = await instances();
  const client = redis.client();
  await a.publishToAll({ requestId: 'open' });
  const ttlMs = await client.pttl('ssekify:seq:open');
  expect(ttlMs).toBeGreaterThan(86_000_000);
  expect(ttlMs).toBeLessThanOrEqual(86_400_000);
  for (const last of [{ final: true }, { phase: 'done' }, { phase: 'error' }]) {
    await a.publishToAll({ requestId: 'closed' });
    await a.publishToAll({ requestId: 'closed', ...last });
    const left = await client.pttl('ssekify:seq:closed');
    expect(left).toBeGreaterThan(50_000);
    expect(left).toBeLessThanOrEqual(60_000);
  }
});

const settings: [string, SeqOptions, string, string, number[]][] = [
  ['startAt 1', { startAt: 1 }, 'seq', 'ssekify:seq:k', [1, 2, 3]],
  ['a field name with quotes', { fieldName: 'a"\\b\n' }, 'a"\\b\n', 'ssekify:seq:k', [0, 1, 2]],
  ['a prefix and a lifetime', { redisKeyPrefix: 'my:', redisTTLSeconds: 7 }, 'seq', 'my:k', [0, 1, 2]],
  ['a key function', { keyExtractor: (data) => `${data.requestId}` }, 'seq', 'ssekify:seq:k', [0, 1, 2]],
];

for (const [what, seq, field, counter, expected] of settings) {
  it(`numbers with ${what}`, async () => {
    const { redis, a, b, atA, atB } = await instances({ seq });
    await a.publishToUser('ann', { requestId: 'k' });
    await b.publishToUser('ann', { requestId: 'k' });
    await atA.received(2);
    a.sendToUser('ann', { requestId: 'k' });
    await Promise.all([atA.received(3), atB.received(2)]);
    expect(seqs(atA, field)).toEqual(expected);
    expect(seqs(atB, field)).toEqual(expected.slice(0, 2));
    expect(await redis.client().pttl(counter)).toBeGreaterThan(0);
    if (seq.redisTTLSeconds !== undefined) {
      expect(await redis.client().pttl(counter)).toBeLessThanOrEqual(7000);
    }
  });
}

it('counts together with whatever else increments the counter', async () => {
  const { redis, a, atA } = await instances();
  const client = redis.client();
  await client.set('ssekify:seq:k', 41);
  await a.publishToUser('ann', { requestId: 'k' });
  await client.incr('ssekify:seq:k');
  await a.publishToUser('ann', { requestId: 'k' });
  await atA.received(2);
  expect(seqs(atA)).toEqual([41, 43]);
});

it('leaves data alone that has a number, no key, or no fields', async () => {
  const { a, atA } = await instances();
  await a.publishToUser('ann', { requestId: 'k', seq: 7 });
  await a.publishToUser('ann', { x: 1 });
  await a.publishToUser('ann', ['requestId']);
  await a.publishToUser('ann', { requestId: 'k' }, { event: 'e', retry: 9 });
  const events = await atA.received(4);
  expect(events.map(({ data }) => JSON.parse(data).seq)).toEqual([7, undefined, undefined, 8]);
  expect(a.stats().seqIncrsRedis).toBe(1);
});

it('fixes what is published at the call, whatever becomes of the object', async () => {
  for (const options of [{}, { serializer: (data: unknown) => ` ${JSON.stringify(data)}` }]) {
    const { a, b, atA } = await instances(options);
    const data = { requestId: 'k', list: [{ n: 0 }] };
    const publishes: Promise<unknown>[] = [];
    for (let n = 0; n < 5; n += 1) {
      data.list = [{ n }];
      const [first] = data.list;
      publishes.push(a.publishToUser('ann', data), b.publishToUser('bob', { requestId: 'k' }));
      if (first !== undefined) first.n = -1;
      data.list.push({ n: -2 });
    }
    await Promise.all(publishes);
    const events = await atA.received(5);
    expect(events.map((event) => JSON.parse(event.data).list)).toEqual(range(0, 5).map((n) => [{ n }]));
    expect(data).toEqual({ requestId: 'k', list: [{ n: -1 }, { n: -2 }] });
  }
});

it('goes on, in order, when Redis forgets its scripts', async () => {
  const { redis, a, atA, atB } = await instances();
  const client = redis.client();
  for (let n = 0; n < 200; n += 1) {
    a.publishToUser('ann', { requestId: 'k', n });
    if (n % 50 === 20) await client.script('FLUSH');
  }
  await Promise.all([atA.received(200), atB.received(200)]);
  expect(atA.events).toEqual(atB.events);
  expect(seqs(atA)).toEqual(range(0, 200));
  expect(seqs(atA, 'n')).toEqual(range(0, 200));
});

it('refuses what cannot be sent without taking a number', async () => {
  const { redis, a } = await instances({ maxPayloadBytes: 200 });
  const errors = collect(a, 'error');
  await expect(a.publishToAll({ requestId: 'k', n: 1n })).rejects.toMatchObject({ code: 'NOT_SERIALIZABLE' });
  await expect(a.publishToAll({ requestId: 'k', n: 'x'.repeat(200) })).rejects.toMatchObject({
    code: 'PAYLOAD_TOO_LARGE',
  });
  expect(await redis.client().exists('ssekify:seq:k')).toBe(0);
  expect(errors.map(({ code }) => code)).toEqual(['NOT_SERIALIZABLE', 'PAYLOAD_TOO_LARGE']);
});

it('refuses what is too large only with its number', async () => {
  const { a, b, atB } = await instances({ maxPayloadBytes: 200, autoFields: { timestamp: false } });
  const errors = collect(b, 'error');
  const sized = (bytes: number) => ({ requestId: 'k', n: 'x'.repeat(bytes - '{"requestId":"k","n":""}'.length) });
  for (const bytes of [200, 193]) {
    await expect(a.publishToAll(sized(bytes))).rejects.toMatchObject({ code: 'PAYLOAD_TOO_LARGE' });
  }
  await a.publishToAll(sized(170));
  await atB.received(1);
  expect(seqs(atB)).toEqual([0]);
  expect(errors).toEqual([]);
});

it('counts in the store it was given, with the channel of another', async () => {
  const [redis, store] = [await startRedis(), await startRedis()];
  const client = store.client();
  const { a, b, atA, atB } = await instances({ seq: { redis: client } }, redis);
  for (let n = 0; n < 10; n += 1) await (n % 2 === 0 ? a : b).publishToUser('ann', { requestId: 'k' });
  await Promise.all([atA.received(10), atB.received(10)]);
  expect(seqs(atA)).toEqual(range(0, 10));
  expect(atA.events).toEqual(atB.events);
  expect(await client.get('ssekify:seq:k')).toBe('10');
  expect(await redis.client().exists('ssekify:seq:k')).toBe(0);
});
