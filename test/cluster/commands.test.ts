import { expect, it } from 'vitest';
import { openStream } from '../helpers/client.js';
import { collect } from '../helpers/emitted.js';
import { MemoryBus } from '../helpers/memory-bus.js';
import { startRedis } from '../helpers/redis.js';
import { serveHub } from '../helpers/server.js';

async function instances() {
  const redis = await startRedis();
  const [a, b] = [await serveHub({ hub: { redis: redis.url } }), await serveHub({ hub: { redis: redis.url } })];
  await Promise.all([a.sse.ready(), b.sse.ready()]);
  return { a, b };
}

it('ends a user on every instance, with the reason, after what was published before', async () => {
  const { a, b } = await instances();
  const [atA, atB, other] = await Promise.all([
    openStream(`${a.url}/ann`),
    openStream(`${b.url}/ann`),
    openStream(`${b.url}/bob`),
  ]);
  const left = collect(b.sse, 'disconnect');
  for (let n = 0; n < 20; n += 1) a.sse.publishToUser('ann', { n, ...(n % 2 === 0 && { requestId: 'k' }) });
  expect(await a.sse.publishClose('ann', { reason: 'token revoked' })).toBeUndefined();
  a.sse.publishToUser('ann', 'too late');
  await Promise.all([atA.over, atB.over]);
  for (const client of [atA, atB]) {
    expect(client.ended).toBe(true);
    expect(client.events).toHaveLength(21);
    expect(client.events[20]).toMatchObject({ event: 'server:close', data: '{"reason":"token revoked"}' });
    expect(client.events[20]?.id).toBeUndefined();
  }
  expect(left).toMatchObject([{ userId: 'ann', reason: 'server' }]);
  await a.sse.publishToUser('bob', 1);
  await other.received(1);
  expect(b.sse.isUserOnline('bob')).toBe(true);
});

it('ends a user without a word where no reason is given', async () => {
  const { a, b } = await instances();
  const client = await openStream(`${b.url}/7`);
  await a.sse.publishClose(7);
  await client.over;
  expect(client.ended).toBe(true);
  expect(client.events).toEqual([]);
});

it('moves all connections of a user into and out of rooms, in order with events', async () => {
  const { a, b } = await instances();
  const clients = await Promise.all([`${a.url}/ann`, `${b.url}/ann`, `${b.url}/ann`].map((url) => openStream(url)));
  const bob = await openStream(`${b.url}/bob`);
  a.sse.publishToRoom('r', 'before');
  a.sse.publishJoin('ann', 'r');
  a.sse.publishToRoom('r', 'inside');
  a.sse.publishLeave('ann', 'r');
  a.sse.publishToRoom('r', 'after');
  await a.sse.publish('end');
  for (const client of [...clients, bob]) await client.until(() => client.events.at(-1)?.data === '"end"');
  for (const client of clients) expect(client.events.map(({ data }) => data)).toEqual(['"inside"', '"end"']);
  expect(bob.events).toHaveLength(1);
  expect(b.sse.getRooms()).toEqual([]);
  await b.sse.publishJoin('ann', 9);
  await expect.poll(() => [a.sse.getRoomConnectionCount('9'), b.sse.getRoomConnectionCount(9)]).toEqual([1, 2]);
});

it('does the same on an instance that is alone', async () => {
  const { sse, url } = await serveHub();
  const client = await openStream(`${url}/ann`);
  await sse.publishJoin('ann', 'r');
  expect(sse.getRooms()).toEqual(['r']);
  await sse.publishLeave('ann', 'r');
  expect(sse.getRooms()).toEqual([]);
  await sse.publishClose('ann', { reason: 'bye' });
  await client.over;
  expect(client.events).toMatchObject([{ event: 'server:close', data: '{"reason":"bye"}' }]);
});

it('rejects bad input, and throws nothing', async () => {
  const { sse } = await serveHub({ hub: { redis: new MemoryBus().adapter() } });
  const errors = collect(sse, 'error');
  const call = (method: 'publishClose' | 'publishJoin' | 'publishLeave', ...args: unknown[]): Promise<unknown> =>
    Reflect.apply(sse[method], sse, args);
  for (const wrong of ['', null, undefined, {}, Number.POSITIVE_INFINITY]) {
    await expect(call('publishClose', wrong)).rejects.toMatchObject({ code: 'INVALID_USER_ID' });
    await expect(call('publishJoin', wrong, 'r')).rejects.toMatchObject({ code: 'INVALID_USER_ID' });
    await expect(call('publishLeave', 'ann', wrong)).rejects.toMatchObject({ code: 'INVALID_ROOM' });
  }
  for (const options of [null, 'because', { reason: 5 }, { reason: '' }, { cause: 'x' }]) {
    await expect(call('publishClose', 'ann', options)).rejects.toMatchObject({ code: 'INVALID_OPTION' });
  }
  expect(errors).toHaveLength(20);
});

it('obeys here when the channel refuses, once, and calls no history into question', async () => {
  const bus = new MemoryBus();
  const adapter = bus.adapter();
  const { sse, url } = await serveHub({ hub: { redis: adapter } });
  sse.on('error', () => undefined);
  await sse.ready();
  const client = await openStream(`${url}/ann`);
  const { id } = await sse.publishToUser('ann', 1);
  adapter.refusal = new Error('no');
  await expect(sse.publishJoin('ann', 'r')).rejects.toMatchObject({ code: 'PUBLISH_REFUSED', delivered: 1 });
  expect(sse.getRooms()).toEqual(['r']);
  await expect(sse.publishClose('ann', { reason: 'x' })).rejects.toMatchObject({
    code: 'PUBLISH_REFUSED',
    message: expect.stringMatching(/ got it\. Retry it\.$/), // a command has no id
  });
  await client.over;
  const back = await openStream(`${url}/ann`, { lastEventId: String(id) });
  sse.sendToUser('ann', 2);
  expect((await back.received(1))[0]?.data).toBe('2');
});

it('takes commands of others', async () => {
  const bus = new MemoryBus();
  const { sse, url } = await serveHub({ hub: { redis: bus.adapter() } });
  await sse.ready();
  const client = await openStream(`${url}/7`);
  bus.publish('ssekify:bus', '{"type":"join","target":7,"room":"r"}');
  bus.publish('ssekify:bus', '{"type":"room","target":"r","data":1}');
  bus.publish('ssekify:bus', '{"type":"leave","target":"7","room":"r"}');
  bus.publish('ssekify:bus', '{"type":"room","target":"r","data":2}');
  bus.publish('ssekify:bus', '{"type":"close","target":7,"reason":"a\\nb"}');
  await client.over;
  expect(client.events.map(({ data }) => data)).toEqual(['1', '{"reason":"a\\nb"}']);
});
