import { expect, it, vi } from 'vitest';
import { SSEKify, type SSEKifyOptions } from '../../src/index.js';
import { atEnd } from '../helpers/cleanup.js';
import { openStream } from '../helpers/client.js';
import { collect } from '../helpers/emitted.js';
import { serveHub } from '../helpers/server.js';

function hubOf(hub: SSEKifyOptions = {}): SSEKify {
  const sse = new SSEKify(hub);
  atEnd(() => sse.shutdown({ graceMs: 0 }));
  return sse;
}

async function idsOf(sse: SSEKify, count: number, before: (index: number) => void = () => undefined) {
  const ids: string[] = [];
  for (let index = 0; index < count; index += 1) {
    before(index);
    const { id } = await sse.publish(index);
    ids.push(id ?? '');
  }
  return ids;
}

/** All of it is CORS-safelisted in a header's value (Fetch standard), which may have 128 bytes. */
const SAFE = /^[\w.+-]{1,128}$/;

it('gives ids of time, instance and counter that rise even when the clock steps back', async () => {
  vi.useFakeTimers({ now: 1_700_000_000_000 });
  const ids = await idsOf(hubOf(), 50, (index) =>
    vi.setSystemTime(1_700_000_000_000 + (index < 25 ? index : -index * 60_000)),
  );
  const parts = ids.map((id) => /^(\d+)-([a-z0-9]+)-(\d+)$/.exec(id) ?? []);
  expect(new Set(parts.map(([, , instance]) => instance)).size).toBe(1);
  for (let index = 1; index < parts.length; index += 1) {
    expect(Number(parts[index]?.[1])).toBeGreaterThanOrEqual(Number(parts[index - 1]?.[1]));
    expect(Number(parts[index]?.[3])).toBeGreaterThan(Number(parts[index - 1]?.[3]));
  }
  expect(parts[0]?.[1]).toBe('1700000000000');
  for (const id of ids) expect(id).toMatch(SAFE);
});

it('gives ids of an instance also where the clock stands at the epoch, or before it', async () => {
  for (const now of [0, -1000]) {
    vi.useFakeTimers({ now });
    const [first = '', second = ''] = await idsOf(hubOf(), 2);
    expect(first).toMatch(new RegExp(`^${now}-[a-z0-9]{10}-1$`));
    expect(second).toBe(first.replace(/1$/, '2'));
    expect((await idsOf(hubOf(), 1))[0]).not.toBe(first);
  }
});

it('gives ids that no other instance gives, started in the same millisecond or not', async () => {
  vi.useFakeTimers({ now: 1_700_000_000_000 });
  const all = (await Promise.all(Array.from({ length: 200 }, () => idsOf(hubOf(), 5)))).flat();
  expect(new Set(all).size).toBe(1000);
});

it('gives snowflake ids: decimal, 64 bits, rising with more than 4096 in a millisecond and a clock that steps back', async () => {
  vi.useFakeTimers({ now: 1_700_000_000_000 + 50_000_000_000 });
  const sse = hubOf({ seq: { frameIdPolicy: 'snowflake', nodeId: 777 } });
  const ids = await idsOf(sse, 10_000, (index) => {
    if (index === 9000) vi.setSystemTime(1_700_000_000_000);
  });
  let last = -1n;
  for (const id of ids) {
    expect(id).toMatch(/^\d{1,19}$/);
    const number = BigInt(id);
    expect(number > last && number < 2n ** 63n).toBe(true);
    expect((number >> 12n) & 1023n).toBe(777n);
    last = number;
  }
  expect(BigInt(ids[0] ?? '') >> 22n).toBe(1_750_000_000_000n - 1_704_067_200_000n);
});

it('orders snowflake ids of two instances by time', async () => {
  vi.useFakeTimers({ now: 1_750_000_000_000 });
  const [a, b] = [0, 1023].map((nodeId) => hubOf({ seq: { frameIdPolicy: 'snowflake', nodeId } }));
  const ids: bigint[] = [];
  for (const sse of [b, a, b, a]) {
    vi.advanceTimersByTime(1);
    ids.push(BigInt((await sse?.publish(1))?.id ?? ''));
  }
  expect(ids).toEqual([...ids].sort((x, y) => (x < y ? -1 : 1)));
});

it("gives no ids with 'none', so that nothing is recorded", async () => {
  const { sse, url, handle } = await serveHub({ hub: { seq: { frameIdPolicy: 'none' } } });
  const client = await openStream(`${url}/ann`);
  await handle(0);
  sse.sendToUser('ann', 1);
  expect(await sse.publish(2, 'ann')).toEqual({ id: undefined });
  expect((await client.received(2)).map(({ id }) => id)).toEqual([undefined, undefined]);
  expect(client.raw).not.toContain('id:');
  expect(sse.stats().recentItems).toBe(0);
});

it('takes ids from a function of the stamped data and its number', async () => {
  const seen: unknown[] = [];
  const { sse, url, handle } = await serveHub({
    hub: {
      autoFields: { timestamp: false },
      seq: {
        frameIdPolicy: (data, seq) => {
          seen.push([structuredClone(data), seq]);
          return seq === undefined ? undefined : `${Reflect.get(Object(data), 'requestId')}.${seq}`;
        },
      },
    },
  });
  const client = await openStream(`${url}/ann`);
  await handle(0);
  sse.sendToUser('ann', { requestId: 'a' });
  sse.sendToUser('ann', 'no number');
  sse.sendToUser('ann', { requestId: 'a' }, { id: 'own' });
  sse.sendToUser('ann', { requestId: 'a' });
  expect((await client.received(4)).map(({ id }) => id)).toEqual(['a.0', undefined, 'own', 'a.2']);
  expect(seen).toEqual([
    [{ requestId: 'a', seq: 0 }, 0],
    ['no number', undefined],
    [{ requestId: 'a', seq: 2 }, 2],
  ]);
});

it.each([
  [
    'throws',
    () => {
      throw new Error('no id');
    },
  ],
  ['returns a line break', () => 'a\nb'],
  ['returns more than 1024 bytes', () => 'x'.repeat(1025)],
  ['returns NaN', () => Number.NaN as never],
  ['returns an object', () => ({}) as never],
  ['returns a promise', () => Promise.resolve('x') as never],
  ['returns a promise that is broken', () => Promise.reject(new Error('mine')) as never],
])('sends nothing and reports an id function that %s', async (_what, frameIdPolicy: () => string) => {
  const { sse, url, handle } = await serveHub({ hub: { seq: { frameIdPolicy } } });
  const errors = collect(sse, 'error');
  const client = await openStream(`${url}/ann`);
  await handle(0);
  expect(sse.sendToUser('ann', 1)).toBe(0);
  await expect(sse.publish(2)).rejects.toMatchObject({ code: 'STAMP_FAILED' });
  expect(sse.sendToUser('ann', 3, { id: 'fine' })).toBe(1);
  expect((await client.received(1))[0]).toMatchObject({ id: 'fine', data: '3' });
  expect(errors.map(({ code }) => code)).toEqual(['STAMP_FAILED', 'STAMP_FAILED']);
  expect(sse.stats()).toMatchObject({ connections: 1, recentItems: 1 });
});
