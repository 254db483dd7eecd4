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

it('delivers what several instances publish of every kind in one order, also where it was published', async () => {
  const redis = await startRedis();
  const hubs = await Promise.all(
    Array.from({ length: 3 }, () => serveHub({ hub: { redis: redis.url, recentBufferSize: 1000 } })),
  );
  await Promise.all(hubs.map(({ sse }) => sse.ready()));
  const clients = await Promise.all(hubs.map(({ url }) => openStream(`${url}/ann?rooms=r`)));
  for (let n = 0; n < 100; n += 1) {
    for (const [from, { sse }] of hubs.entries()) {
      const data = { from, n };
      if (n % 4 === 0) sse.publish(data);
      else if (n % 4 === 1) sse.publishToRoom('r', data, { event: 'e' });
      else if (n % 4 === 2) sse.publishToUser('ann', { ...data, streamId: 's' });
      else sse.publish(data, 'ann', { retry: 5 });
    }
    if (n % 10 === 0) await new Promise((resolve) => setImmediate(resolve));
  }
  const seen = await Promise.all(clients.map((client) => client.received(300)));
  expect(seen[1]).toEqual(seen[0]);
  expect(seen[2]).toEqual(seen[0]);
  for (const from of hubs.keys()) {
    const own = (seen[0] ?? []).map(({ data }) => JSON.parse(data)).filter((data) => data.from === from);
    expect(own.map(({ n }) => n)).toEqual(Array.from({ length: 100 }, (_, index) => index));
  }
});

it('keeps tenants with channels of their own apart', async () => {
  const redis = await startRedis();
  const a = await serveHub({ hub: { redis: redis.url, channel: 'one' } });
  const b = await serveHub({ hub: { redis: redis.url, channel: 'two' } });
  await Promise.all([a.sse.ready(), b.sse.ready()]);
  const [atA, atB] = [await openStream(`${a.url}/ann`), await openStream(`${b.url}/ann`)];
  await a.sse.publishToUser('ann', 'for one');
  await b.sse.publishToUser('ann', 'for two');
  await Promise.all([atA.received(1), atB.received(1)]);
  expect([atA.events[0]?.data, atB.events[0]?.data]).toEqual(['"for one"', '"for two"']);
  expect(a.sse.stats().bus.received).toBe(1);
});

it('never makes a broadcast of a user or a room that is unusable', async () => {
  const redis = await startRedis();
  const { sse, url } = await serveHub({ hub: { redis: redis.url } });
  sse.on('error', () => undefined);
  await sse.ready();
  const ann = await openStream(`${url}/ann`);
  for (const wrong of ['', null, Number.NaN, {}, [], true]) {
    await expect(Reflect.apply(sse.publish, sse, [1, wrong])).rejects.toMatchObject({ code: 'INVALID_USER_ID' });
    await expect(Reflect.apply(sse.publishToUser, sse, [wrong, 1])).rejects.toMatchObject({ code: 'INVALID_USER_ID' });
    await expect(Reflect.apply(sse.publishToRoom, sse, [wrong, 1])).rejects.toMatchObject({ code: 'INVALID_ROOM' });
  }
  await expect(Reflect.apply(sse.publishToUser, sse, [undefined, 1])).rejects.toMatchObject({
    code: 'INVALID_USER_ID',
  });
  await sse.publish('for all', undefined, { event: 'last' });
  await ann.event('last');
  expect(ann.events).toHaveLength(1);
});

it('reaches every user and room whatever they are called', async () => {
  const redis = await startRedis();
  const [a, b] = [await serveHub({ hub: { redis: redis.url } }), await serveHub({ hub: { redis: redis.url } })];
  await Promise.all([a.sse.ready(), b.sse.ready()]);
  for (const name of ['__proto__', 'constructor', 'é 😀', 'a:b', '*', 'a b', '"\\', '42']) {
    const user = await openStream(`${b.url}/${encodeURIComponent(name)}`);
    const other = await openStream(`${b.url}/other?rooms=${encodeURIComponent(name)}`);
    await a.sse.publishToUser(name === '42' ? 42 : name, 'user');
    await a.sse.publishToRoom(name, 'room');
    await Promise.all([user.received(1), other.received(1)]);
    expect([user.events.map(({ data }) => data), other.events.map(({ data }) => data)]).toEqual([
      ['"user"'],
      ['"room"'],
    ]);
    user.close();
    other.close();
  }
});
