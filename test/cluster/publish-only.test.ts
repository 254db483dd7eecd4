import { expect, it } from 'vitest';
import { createIORedisAdapter, SSEKify, type SSEKifyOptions } from '../../src/index.js';
import { usedBytes } from '../helpers/memory.js';
import { startRedis } from '../helpers/redis.js';
import { endWithTest } from '../helpers/server.js';

const MIB = 1024 * 1024;
/** Where all that is kept of a number of latest events, such as their ids, has as many of them as at the end. */
const WARM = 150_000;
const EVENTS = 200_000;

/** A process that holds no connection, and publishes each event to another user. */
async function publisher(options: SSEKifyOptions) {
  const { url } = await startRedis();
  const sse = new SSEKify({ redis: createIORedisAdapter(url), ...options });
  endWithTest(sse);
  await sse.ready();
  let most = { buffers: 0, items: 0, bytes: 0 };
  const publish = async (from: number, to: number) => {
    for (let n = from; n < to; ) {
      const batch: Promise<unknown>[] = [];
      for (const end = Math.min(n + 1000, to); n < end; n += 1) {
        batch.push(sse.publishToUser(`user-${n}`, { n, text: 'x'.repeat(100) }));
      }
      await Promise.all(batch);
      const { recentBuffers, recentItems, recentBytes } = sse.stats();
      most = {
        buffers: Math.max(most.buffers, recentBuffers),
        items: Math.max(most.items, recentItems),
        bytes: Math.max(most.bytes, recentBytes),
      };
    }
    // What was published has come back from the channel, and is recorded.
    await expect.poll(() => sse.stats().bus).toMatchObject({ received: to, pending: 0 });
  };
  await publish(0, WARM);
  const before = usedBytes();
  await publish(WARM, EVENTS);
  return { sse, most, growth: usedBytes() - before };
}

it('keeps no more users’ events than recentMaxUsers in a process that only publishes', async () => {
  const { sse, most, growth } = await publisher({ recentMaxUsers: 5000 });
  expect(most.buffers).toBe(5000);
  expect(sse.stats()).toMatchObject({ connections: 0, recentBuffers: 5000, recentItems: 5000, errorCount: 0 });
  expect(growth).toBeLessThan(4 * MIB);
}, 60_000);

it('keeps no more bytes than recentMaxBytes in a process that only publishes', async () => {
  const { sse, most, growth } = await publisher({ recentMaxUsers: 1_000_000, recentMaxBytes: MIB });
  expect(most.bytes).toBeLessThanOrEqual(MIB);
  expect(most.bytes).toBeGreaterThan(0.9 * MIB);
  expect(sse.stats().recentBuffers).toBeLessThan(10_000);
  expect(growth).toBeLessThan(4 * MIB);
}, 60_000);

it('keeps nothing with recentBufferSize 0', async () => {
  const { most, growth } = await publisher({ recentBufferSize: 0 });
  expect(most).toEqual({ buffers: 0, items: 0, bytes: 0 });
  expect(growth).toBeLessThan(4 * MIB);
}, 60_000);
