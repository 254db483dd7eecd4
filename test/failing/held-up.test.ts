import { setTimeout as wait } from 'node:timers/promises';
import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import {
  createIORedisAdapter,
  createNodeRedisAdapter,
  createRedisStreamAdapter,
  type RedisLike,
  type SSEKifyOptions,
} from '../../src/index.js';
import { atEnd } from '../helpers/cleanup.js';
import { openStream } from '../helpers/client.js';
import { collect } from '../helpers/emitted.js';
import { startProxy } from '../helpers/proxy.js';
import { startRedis } from '../helpers/redis.js';
import { serveHub } from '../helpers/server.js';
import { turn } from '../helpers/stall.js';

/** Does what an application should not. */
function block(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

async function instance(redis: SSEKifyOptions['redis'], channel: string) {
  const hub = await serveHub({ hub: { redis, channel } });
  const errors = collect(hub.sse, 'error');
  await hub.sse.ready();
  const ann = await openStream(`${hub.url}/ann`);
  return { ...hub, errors, ann };
}

const ofEachKind = (url: string) =>
  Promise.all([
    instance(createIORedisAdapter(url), 'one'),
    instance(createNodeRedisAdapter(url), 'two'),
    instance(createRedisStreamAdapter(url), 'three'),
  ]);

async function gaveUpNothing(instances: Awaited<ReturnType<typeof ofEachKind>>, published: number) {
  for (const { sse, ann, errors } of instances) {
    await ann.received(published);
    expect(errors).toEqual([]);
    expect(sse.stats().bus.fallbacks).toBe(0);
  }
}

/** As an application writes one itself. */
function plain(url: string): RedisLike {
  const [publisher, subscriber] = [new Redis(url), new Redis(url)];
  for (const client of [publisher, subscriber]) atEnd(() => client.disconnect());
  return {
    publish: (channel, message) => publisher.publish(channel, message),
    subscribe: (channel) => subscriber.subscribe(channel),
    on: (event: string, listener: (...args: string[]) => void) => subscriber.on(event, listener),
    incr: (key) => publisher.incr(key),
    expire: (key, seconds) => publisher.expire(key, seconds),
    pexpire: (key, ms) => publisher.pexpire(key, ms),
  };
}

it.each([
  ['in the turn that asked for it', () => undefined],
  ['in the next one', turn],
])('takes the number that a store gave while this process was held up, %s', async (_when, wait) => {
  const { url } = await startRedis();
  const client = new Redis(url);
  atEnd(() => client.disconnect());
  await client.set('ssekify:seq:k', 5);
  const { sse, ann, errors } = await instance(plain(url), 'plain');
  const published = sse.publishToUser('ann', { requestId: 'k' });
  await wait();
  block(2300);
  await published;
  const [event] = await ann.received(1);
  expect(JSON.parse(event?.data ?? '')).toMatchObject({ seq: 5 });
  expect(errors).toEqual([]);
});

it('takes no connection for lost because this process was held up', async () => {
  const { url } = await startRedis();
  const instances = await ofEachKind(url);
  for (let n = 0; n < 3; n += 1) {
    block(4600);
    await turn();
  }
  await turn();
  for (const { sse } of instances) await sse.publishToUser('ann', 1);
  for (const { sse, errors } of instances) {
    expect(errors).toEqual([]);
    expect(sse.stats().bus).toMatchObject({ state: 'up', outages: 0 });
  }
});

it('gives up no publish that could not leave because this process was held up', async () => {
  const redis = await startRedis();
  // It is of this process, so that an answer takes several turns.
  const { url } = await startProxy(redis.port);
  const instances = await ofEachKind(url);
  const published = instances.map(({ sse }) => sse.publishToUser('ann', { requestId: 'k' }));
  block(5200);
  await Promise.all(published);
  await gaveUpNothing(instances, 1);
});

it('gives up no publish that could not leave while it was about to look for the answers of earlier ones', async () => {
  const redis = await startRedis();
  const { url } = await startProxy(redis.port);
  const instances = await ofEachKind(url);
  for (const { sse } of instances) await sse.publishToUser('ann', 1);
  // Their time is over then, and a last part of it is waited for.
  block(5000);
  await wait(20);
  const published = instances.map(({ sse }) => sse.publishToUser('ann', 2));
  block(5200);
  await Promise.all(published);
  await gaveUpNothing(instances, 2);
});
