import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import OldestRedis from 'ioredis50';
import { createClient } from 'redis';
import { expect, it } from 'vitest';
import { createIORedisAdapter, createRedisStreamAdapter } from '../../src/index.js';
import { atEnd } from '../helpers/cleanup.js';
import { openStream } from '../helpers/client.js';
import { startRedis } from '../helpers/redis.js';
import { serveHub } from '../helpers/server.js';
import { redisChannel } from './redis-channel.js';
import { contract } from './redis-like-contract.js';

contract('ioredis 6, by URL', () => redisChannel(({ url }) => createIORedisAdapter(url)));

contract('ioredis 6, by options', () => redisChannel(({ port }) => createIORedisAdapter({ host: '127.0.0.1', port })));

contract('ioredis 6, by a client', () =>
  redisChannel(({ port }) => {
    const client = new Redis({ host: '127.0.0.1', port, lazyConnect: true });
    atEnd(() => client.disconnect());
    return createIORedisAdapter(client);
  }),
);

contract('ioredis 5, by a client', () =>
  redisChannel(({ port }) => {
    const client = new Redis5({ host: '127.0.0.1', port, lazyConnect: true });
    atEnd(() => client.disconnect());
    return createIORedisAdapter(client);
  }),
);

contract('ioredis 5.0, by a client', () =>
  redisChannel(({ port }) => {
    const client = new OldestRedis({ host: '127.0.0.1', port, lazyConnect: true });
    atEnd(() => client.disconnect());
    return createIORedisAdapter(client);
  }),
);

it('neither uses nor closes the client it was given', async () => {
  const redis = await startRedis();
  const client = redis.client();
  const { sse, url } = await serveHub({ hub: { redis: createIORedisAdapter(client) } });
  await sse.ready();
  const stream = await openStream(`${url}/ann`);
  await sse.publishToUser('ann', { requestId: 'r' });
  await stream.received(1);
  expect(client.mode).toBe('normal');
  await sse.shutdown({ graceMs: 0 });
  expect(client.status).toBe('ready');
  expect(await client.ping()).toBe('PONG');
});

it('takes a client with settings that would make publishes wait or repeat', async () => {
  const redis = await startRedis();
  const client = new Redis(redis.port, '127.0.0.1', {
    maxRetriesPerRequest: null,
    enableOfflineQueue: true,
    // Its own end, with the server gone, must not outlast the test.
    disconnectTimeout: 100,
  });
  client.on('error', () => undefined);
  atEnd(() => client.disconnect());
  const { sse } = await serveHub({ hub: { redis: createIORedisAdapter(client) } });
  sse.on('error', () => undefined);
  await sse.ready();
  await redis.kill();
  await expect(sse.publishToAll({ n: 1 })).rejects.toMatchObject({ code: expect.stringMatching(/^PUBLISH_/) });
});

it('publishes in order by a client that gathers commands by itself', async () => {
  const { url, port } = await startRedis();
  const options = { host: '127.0.0.1', port, lazyConnect: true, enableAutoPipelining: true };
  for (const client of [new Redis(options), new Redis5(options), new OldestRedis(options)]) {
    atEnd(() => client.disconnect());
    const hub = await serveHub({ hub: { redis: createIORedisAdapter(client) } });
    await hub.sse.ready();
    const ann = await openStream(`${hub.url}/ann`);
    const data = [{ n: 0 }, { n: 1, requestId: url }, { n: 2 }, { n: 3, requestId: url }];
    await Promise.all(data.map((each) => hub.sse.publishToUser('ann', each)));
    await ann.received(4);
    expect(ann.events.map((event) => JSON.parse(event.data).n)).toEqual([0, 1, 2, 3]);
  }
});

it('lets an application listen to messages before the hub does', async () => {
  const { url } = await startRedis();
  const adapter = createIORedisAdapter(url);
  const { on } = adapter;
  adapter.on = (event: string, listener: (...heard: never[]) => void) => {
    const shout = (channel: string, message: string) =>
      Reflect.apply(listener, undefined, [channel, message.replace('quiet', 'LOUD')]);
    Reflect.apply(on, adapter, [event, event === 'message' ? shout : listener]);
  };
  const hub = await serveHub({ hub: { redis: adapter } });
  await hub.sse.ready();
  const ann = await openStream(`${hub.url}/ann`);
  await hub.sse.publishToUser('ann', 'quiet', { text: true });
  await ann.received(1);
  expect(ann.events[0]?.data).toBe('LOUD');
});

it('connects at once also by a URL that says the contrary', async () => {
  const { url } = await startRedis();
  const { sse } = await serveHub({ hub: { redis: createIORedisAdapter(`${url}?lazyConnect=true`) } });
  await sse.ready();
  await sse.publishToAll('well');
});

it('takes a client of another package for no options, which would lead elsewhere', () => {
  for (const make of [createIORedisAdapter, createRedisStreamAdapter]) {
    expect(() => make(createClient({ url: 'redis://example.com' }))).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining('a client of ioredis') }),
    );
  }
});
