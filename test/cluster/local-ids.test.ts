import { afterEach, expect, it, vi } from 'vitest';
import type { SSEKify, SSEKifyOptions } from '../../src/index.js';
import { openStream, type StreamClient } from '../helpers/client.js';
import { startRedis } from '../helpers/redis.js';
import { serveHub, type TestHub } from '../helpers/server.js';

afterEach(() => {
  vi.useRealTimers();
});

/** As many instances as asked for, on one channel, each subscribed. */
async function instances(count: number, options: SSEKifyOptions = {}): Promise<TestHub[]> {
  const redis = await startRedis();
  const hubs: TestHub[] = [];
  for (let each = 0; each < count; each += 1) hubs.push(await serveHub({ hub: { ...options, redis: redis.url } }));
  await Promise.all(hubs.map(({ sse }) => sse.ready()));
  return hubs;
}

const data = (client: StreamClient) => client.events.map(({ data: text }) => JSON.parse(text));
const HOUR = 3_600_000;

/** Publishes with the clock set off by so many milliseconds. */
async function publishAt(sse: SSEKify, offsetMs: number, value: unknown): Promise<void> {
  vi.useFakeTimers({ toFake: ['Date'], now: Date.now() + offsetMs });
  try {
    await sse.publishToUser('ann', value);
  } finally {
    vi.useRealTimers();
  }
}

for (const frameIdPolicy of ['timestamp', 'snowflake'] as const) {
  it(`replays exactly what was missed on another instance, clocks an hour apart, ids by ${frameIdPolicy}`, async () => {
    const [a, b] = await instances(2, { seq: { frameIdPolicy }, recentBufferSize: 100 });
    if (a === undefined || b === undefined) throw new Error('no instances');
    const seen: number[] = [];
    let lastEventId: string | undefined;
    let n = 0;
    for (let move = 0; move < 6; move += 1) {
      const client = await openStream(
        `${(move % 2 === 0 ? a : b).url}/ann`,
        lastEventId === undefined ? {} : { lastEventId },
      );
      const missed = move === 0 ? 0 : 5;
      await client.received(missed);
      for (let each = 0; each < 5; each += 1, n += 1)
        await publishAt(n % 2 === 0 ? a.sse : b.sse, n % 2 === 0 ? -HOUR : HOUR, n);
      await client.received(missed + 5);
      seen.push(...data(client));
      ({ lastEventId } = client);
      client.close();
      for (let each = 0; each < 5; each += 1, n += 1)
        await publishAt(n % 3 === 0 ? a.sse : b.sse, n % 3 === 0 ? HOUR : 0, n);
    }
    expect(seen).toEqual(Array.from({ length: seen.length }, (_, index) => index));
    expect(seen).toHaveLength(55);
    expect([a.sse.stats().gaps.unknown, b.sse.stats().gaps.unknown]).toEqual([0, 0]);
    expect([a.sse.stats().gaps.evicted, b.sse.stats().gaps.evicted]).toEqual([0, 0]);
  });
}

it('gives events of sendTo* the id of the last published one, with its own behind it', async () => {
  const [a, b] = await instances(2);
  if (a === undefined || b === undefined) throw new Error('no instances');
  const atA = await openStream(`${a.url}/ann`);
  a.sse.sendToUser('ann', 'before');
  const { id } = await b.sse.publishToUser('bob', 'not for ann');
  await expect.poll(() => a.sse.stats().bus.received).toBe(1);
  a.sse.sendToUser('ann', 'one');
  a.sse.sendToAll('two');
  const { id: second } = await b.sse.publishToUser('ann', 'published');
  await atA.received(4);
  a.sse.sendToUser('ann', 'three');
  const ids = (await atA.received(5)).map((event) => event.id ?? '');
  expect(ids[0]).toMatch(/^\d+-[a-z0-9]{10}-\d+$/);
  expect(ids[1]).toMatch(/\+[a-z0-9]{10}\.\d+$/);
  expect(ids[1]?.split('+')[0]).toBe(id);
  expect(ids[2]?.split('+')[0]).toBe(id);
  expect(ids[3]).toBe(second);
  expect(ids[4]?.split('+')[0]).toBe(second);
  expect(new Set(ids).size).toBe(5);
  for (const each of ids) expect(Buffer.byteLength(each)).toBeLessThanOrEqual(128);
});

it('resumes after the published event where a local one is not known, and says nothing of a gap', async () => {
  const [a, b] = await instances(2);
  if (a === undefined || b === undefined) throw new Error('no instances');
  const atA = await openStream(`${a.url}/ann`);
  await b.sse.publishToUser('ann', 1);
  await atA.received(1);
  a.sse.sendToUser('ann', 'local');
  await atA.received(2);
  await b.sse.publishToUser('ann', 2);
  await atA.received(3);
  const localId = atA.events[1]?.id ?? '';
  const atB = await openStream(`${b.url}/ann`, { lastEventId: localId });
  expect(data(await atB.received(1).then(() => atB))).toEqual([2]);
  const again = await openStream(`${a.url}/ann`, { lastEventId: localId });
  expect(data(await again.received(1).then(() => again))).toEqual([2]);
  expect(b.sse.stats().gaps).toEqual(a.sse.stats().gaps);
  expect(b.sse.stats().gaps).toMatchObject({ unknown: 0, evicted: 0 });
});

it('resumes after a gap on another instance, and says nothing of it again', async () => {
  const [a, b] = await instances(2);
  if (a === undefined || b === undefined) throw new Error('no instances');
  const other = await openStream(`${b.url}/bob`);
  await a.sse.publishToAll('published');
  await other.received(1);
  a.sse.clearRecent();
  const client = await openStream(`${a.url}/ann`, { lastEventId: 'unknown' });
  await client.event('server:cursor');
  client.close();
  const back = await openStream(
    `${b.url}/ann`,
    client.lastEventId === undefined ? {} : { lastEventId: client.lastEventId },
  );
  b.sse.sendToUser('ann', 'next');
  await back.received(1);
  expect(data(back)).toEqual(['next']);
});

it('tells of a gap where not even the published event is known', async () => {
  const [a, b] = await instances(2);
  if (a === undefined || b === undefined) throw new Error('no instances');
  for (const lastEventId of ['1-abcdefghij-1+bcdefghijk.3', 'x+y.1', '+bcdefghijk.1', 'no-such-id']) {
    const client = await openStream(`${b.url}/ann`, { lastEventId });
    expect(JSON.parse((await client.event('server:gap')).data)).toEqual({ lastEventId, reason: 'unknown' });
  }
});

it('keeps the id of the last published event beside events that reset ids or have none', async () => {
  const [a] = await instances(1);
  if (a === undefined) throw new Error('no instance');
  const ann = await openStream(`${a.url}/ann`);
  const { id } = await a.sse.publishToUser('ann', 1);
  await ann.received(1);
  await a.sse.publishToUser('ann', 2, { id: '' });
  await ann.received(2);
  a.sse.sendToUser('ann', 3);
  await ann.received(3);
  expect(ann.events[2]?.id?.split('+')[0]).toBe(id);
});

it('gives ids of its own behind an id that is too long to build on', async () => {
  const [a] = await instances(1);
  if (a === undefined) throw new Error('no instance');
  const ann = await openStream(`${a.url}/ann`);
  await a.sse.publishToUser('ann', 1, { id: 'x'.repeat(120) });
  await ann.received(1);
  a.sse.sendToUser('ann', 2);
  await ann.received(2);
  expect(ann.events[1]?.id).toMatch(/^\d+-[a-z0-9]{10}-\d+$/);
});

it('gives no ids where none are wanted', async () => {
  const [a] = await instances(1, { seq: { frameIdPolicy: 'none' } });
  if (a === undefined) throw new Error('no instance');
  const ann = await openStream(`${a.url}/ann`);
  expect(await a.sse.publishToUser('ann', 1)).toEqual({ id: undefined });
  await a.sse.publishToUser('ann', 2, { id: 'own' });
  await ann.received(2);
  a.sse.sendToUser('ann', 3);
  await ann.received(3);
  expect(ann.raw.match(/^id: .*$/gm)).toEqual(['id: own']);
});
