import { expect, it } from 'vitest';
import { openStream, type StreamClient } from '../helpers/client.js';
import { logHub } from '../helpers/log.js';
import { startRedis } from '../helpers/redis.js';

const cursorsOf = ({ events }: StreamClient) => events.filter(({ event }) => event === 'server:cursor');

it.each([
  ['with heartbeats', { keepAliveMs: 200 }, {}],
  ['without heartbeats, in time for the window', { keepAliveMs: 0 }, { windowMs: 1000 }],
])('moves the position of a client to whom nothing is said, %s', async (_, hub, log) => {
  const redis = await startRedis();
  const a = await logHub(redis.url, { hub, log });
  const client = await openStream(`${a.url}/ann`);
  await client.until((reader) => reader.events.length >= 1);
  await a.sse.publishToUser('bob', 1);
  await client.until((reader) => reader.events.length >= 3);
  const ids = cursorsOf(client).map(({ id = '' }) => id);
  expect(ids).toHaveLength(client.events.length);
  expect(new Set(ids).size).toBe(ids.length);
  expect(client.comments.length > 0).toBe('keepAliveMs' in hub && hub.keepAliveMs > 0);
  // It is a position like any other.
  const again = await openStream(`${a.url}/ann`, { lastEventId: ids[1] ?? '' });
  await a.sse.publishToUser('ann', 2);
  await again.until((reader) => reader.events.some(({ data }) => data === '2'));
  expect(again.events.filter(({ event }) => event === 'server:gap')).toEqual([]);
});
