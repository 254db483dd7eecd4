import { expect, it } from 'vitest';
import { openStream } from '../helpers/client.js';
import type { MemoryAdapterOptions } from '../helpers/memory-bus.js';
import { type MemoryAdapter, MemoryBus } from '../helpers/memory-bus.js';
import { serveHub } from '../helpers/server.js';
import { contract, eventually, type TestChannel } from './redis-like-contract.js';

function memoryChannel(options: MemoryAdapterOptions): () => Promise<TestChannel> {
  return async () => {
    const bus = new MemoryBus();
    const adapters: MemoryAdapter[] = [];
    return {
      adapter: () => {
        const adapter = bus.adapter(options);
        adapters.push(adapter);
        return adapter;
      },
      refuse: () => {
        for (const adapter of adapters) adapter.refusal = new Error('no');
      },
      loseSubscriptions: async () => {
        for (const adapter of adapters) {
          adapter.tell('down');
          adapter.tell('up');
        }
      },
      empty: () => eventually(async () => adapters.every(({ listeners, closed }) => listeners === 0 && closed > 0)),
      raw: async (channel, message) => bus.publish(channel, message),
    };
  };
}

contract('in memory, without counters', memoryChannel({}));
contract('in memory, without echo', memoryChannel({ echo: false }));
contract('in memory, with counters as methods', memoryChannel({ counters: 'methods' }));
contract('in memory, with counters as kv', memoryChannel({ counters: 'kv' }));

it('delivers an id once without echo, too', async () => {
  const { sse, url } = await serveHub({ hub: { redis: new MemoryBus().adapter({ echo: false }) } });
  await sse.ready();
  const ann = await openStream(`${url}/ann`);
  for (const data of ['first', 'again']) await sse.publishToUser('ann', data, { id: 'one' });
  await sse.publishToUser('ann', 'next', { id: 'two' });
  await ann.until(({ events }) => events.at(-1)?.id === 'two');
  expect(ann.events.map(({ data }) => JSON.parse(data))).toEqual(['first', 'next']);
});

it('takes messages that a client gives as Buffers', async () => {
  const bus = new MemoryBus();
  const texts = bus.adapter();
  const adapter = {
    publish: (channel: string, message: string) => texts.publish(channel, message),
    subscribe: (channel: string) => texts.subscribe(channel),
    on: (event: 'message' | 'error', listener: (...args: never[]) => void) => {
      if (event === 'error') return;
      texts.on('message', (...args) => {
        const bytes = args.map((text) => Buffer.from(text));
        Reflect.apply(listener, undefined, bytes);
      });
    },
  };
  const { sse, url } = await serveHub({ hub: { redis: adapter } });
  await sse.ready();
  const ann = await openStream(`${url}/ann`);
  await sse.publishToUser('ann', 'own ü');
  bus.publish('ssekify:bus', '{"type":"user","target":"ann","data":"by another"}');
  await ann.received(2);
  expect(ann.events.map(({ data }) => JSON.parse(data))).toEqual(['own ü', 'by another']);
  expect(sse.stats().bus).toMatchObject({ invalid: 0, fallbacks: 0 });
});

it('delivers in call order without echo, though answers overtake each other', async () => {
  const answers: { resolve: () => void; reject: (error: Error) => void }[] = [];
  const adapter = {
    echo: false,
    publish: () => new Promise<void>((resolve, reject) => answers.push({ resolve, reject })),
    subscribe: async () => undefined,
    on: () => undefined,
  };
  const { sse, url } = await serveHub({ hub: { redis: adapter } });
  sse.on('error', () => undefined);
  await sse.ready();
  const ann = await openStream(`${url}/ann`);
  const published = [0, 1, 2, 3].map((n) => sse.publishToUser('ann', n, { event: 'n' }));
  for (const n of [3, 1]) answers[n]?.resolve();
  expect(await Promise.all([published[3], published[1]])).toHaveLength(2);
  answers[0]?.resolve();
  await ann.received(2);
  expect(ann.events.map(({ data }) => data)).toEqual(['0', '1']);
  // What is refused is delivered here all the same, in its place.
  answers[2]?.reject(new Error('no'));
  await expect(published[2]).rejects.toMatchObject({ code: 'PUBLISH_REFUSED', delivered: 1 });
  await ann.received(4);
  expect(ann.events.map(({ data }) => data)).toEqual(['0', '1', '2', '3']);
  expect(sse.stats().bus).toMatchObject({ published: 3, refused: 1, fallbacks: 1, pending: 0 });
});
