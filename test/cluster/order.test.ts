import { expect, it } from 'vitest';
import { openStream } from '../helpers/client.js';
import { startRedis } from '../helpers/redis.js';
import { serveHub } from '../helpers/server.js';

it('delivers what two instances publish under one key in one order and with ascending numbers everywhere', async () => {
  const redis = await startRedis();
  const a = await serveHub({ hub: { redis: redis.url } });
  const b = await serveHub({ hub: { redis: redis.url } });
  await Promise.all([a.sse.ready(), b.sse.ready()]);
  const atA = await openStream(`${a.url}/ann`);
  const atB = await openStream(`${b.url}/ann`);
  const publish = async (hub: typeof a, from: string) => {
    for (let n = 0; n < 150; n += 1) await hub.sse.publishToUser('ann', { requestId: 'one', from, n });
  };
  await Promise.all([publish(a, 'a'), publish(b, 'b')]);
  const seenAtA = (await atA.received(300)).map(({ id, data }) => [id, JSON.parse(data).seq]);
  const seenAtB = (await atB.received(300)).map(({ id, data }) => [id, JSON.parse(data).seq]);
  expect(seenAtA).toEqual(seenAtB);
  expect(seenAtA.map(([, seq]) => seq)).toEqual(Array.from({ length: 300 }, (_, index) => index));
  expect(a.sse.stats().bus).toMatchObject({ state: 'up', published: 150, received: 300, pending: 0, fallbacks: 0 });
});
