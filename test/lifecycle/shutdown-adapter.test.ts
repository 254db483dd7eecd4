import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { SSEKify } from '../../src/index.js';
import { openStream } from '../helpers/client.js';
import { collect } from '../helpers/emitted.js';
import { MemoryBus } from '../helpers/memory-bus.js';
import { serveHub } from '../helpers/server.js';

it('resolves after graceMs although an adapter never finishes closing', async () => {
  const adapter = {
    publish: async () => 1,
    subscribe: async () => 1,
    on: () => undefined,
    close: () => new Promise<never>(() => undefined),
  };
  const sse = new SSEKify({ redis: adapter });
  await sse.ready();
  await expect(sse.shutdown({ graceMs: 20 })).resolves.toBeUndefined();
});

const failing = () => new Error('Connection is closed.');

it.each([
  // As a client's quit() does that has no connection.
  ['rejects', () => Promise.reject(failing())],
  [
    'throws',
    () => {
      throw failing();
    },
  ],
])('resolves although an adapter fails to close, which %s, and tells of it', async (_, close) => {
  const adapter = {
    publish: async () => 1,
    subscribe: async () => 1,
    on: () => undefined,
    close,
  };
  const sse = new SSEKify({ redis: adapter });
  const errors = collect(sse, 'error');
  await sse.ready();
  await expect(sse.shutdown()).resolves.toBeUndefined();
  expect(errors).toMatchObject([{ code: 'BUS_ERROR', cause: failing() }]);
});

it('resolves although an adapter throws when a listener is taken off, and tells of it', async () => {
  let closed = false;
  const adapter = {
    publish: async () => 1,
    subscribe: async () => 1,
    on: () => undefined,
    off: () => {
      throw failing();
    },
    close: () => {
      closed = true;
    },
  };
  const sse = new SSEKify({ redis: adapter });
  const errors = collect(sse, 'error');
  await sse.ready();
  await expect(sse.shutdown()).resolves.toBeUndefined();
  expect(closed).toBe(true);
  expect(errors).toMatchObject([{ code: 'BUS_ERROR', cause: failing() }]);
});

it('listens to errors of an adapter until it is closed, since an EventEmitter would throw them', async () => {
  class Emitting extends EventEmitter {
    publish = async () => 1;
    subscribe = async () => 1;
    async close() {
      await new Promise(setImmediate);
      this.emit('error', new Error('read ECONNRESET'));
    }
  }
  const adapter = new Emitting();
  const sse = new SSEKify({ redis: adapter });
  const errors = collect(sse, 'error');
  await sse.ready();
  await sse.shutdown();
  expect(errors).toEqual([]);
  expect(adapter.eventNames()).toEqual([]);
});

it('waits for what is published at the word of the last client that leaves', async () => {
  const bus = new MemoryBus();
  const adapter = bus.adapter();
  const publish = adapter.publish.bind(adapter);
  // As over a network.
  adapter.publish = async (channel, message) => {
    await new Promise((resolve) => setTimeout(resolve, 20));
    return publish(channel, message);
  };
  const { sse, url } = await serveHub({ hub: { redis: adapter } });
  const outcomes: Promise<string>[] = [];
  sse.on('disconnect', ({ userId }) => {
    const published = sse.publishToAll({ left: userId });
    outcomes.push(
      published.then(
        () => `${userId} taken`,
        (error) => `${userId} ${error.code}`,
      ),
    );
  });
  await sse.ready();
  await openStream(`${url}/ann`);
  await openStream(`${url}/ben`);
  await sse.shutdown({ graceMs: 2000 });
  expect((await Promise.all(outcomes)).sort()).toEqual(['ann taken', 'ben taken']);
  expect(bus.messages).toHaveLength(2);
});

it('sends nobody away before what the channel took has come back from it', async () => {
  const adapter = new MemoryBus().adapter();
  const { sse, url } = await serveHub({ hub: { redis: adapter } });
  await sse.ready();
  const client = await openStream(`${url}/ann`);
  adapter.delays = true;
  await sse.publishToUser('ann', 'farewell');
  const over = sse.shutdown({ graceMs: 5000 });
  setTimeout(() => adapter.arrive(), 30);
  await over;
  await client.over;
  expect(client.events.map(({ event, data }) => event ?? data)).toEqual(['server:shutdown', '"farewell"']);
  expect(client.ended).toBe(true);
});

it('sends clients away although what the channel took does not come back', async () => {
  const adapter = new MemoryBus().adapter();
  const { sse, url } = await serveHub({ hub: { redis: adapter } });
  await sse.ready();
  const clients = await Promise.all(['ann', 'ben'].map((user) => openStream(`${url}/${user}`)));
  adapter.losesEchoes = true;
  await sse.publishToAll('lost');
  await sse.shutdown({ graceMs: 200 });
  await Promise.all(clients.map(({ over }) => over));
  expect(clients.map(({ ended }) => ended)).toEqual([true, true]);
});

it('tells of each publish it cuts short whether it was sent, and sends none of the others any more', async () => {
  const sent: string[] = [];
  const adapter = {
    publish: async (_channel: string, message: string) => sent.push(message),
    subscribe: async () => 1,
    on: () => undefined,
    publishNumbered: (_channel: string, { before }: { before: string }) => {
      sent.push(before);
      return new Promise<never>(() => undefined);
    },
  };
  // The text is made of the number, so that what comes next waits for the answer.
  const sse = new SSEKify({ redis: adapter, serializer: (data) => JSON.stringify(data) });
  await sse.ready();
  const publishes = [{ requestId: 'k' }, { requestId: 'k' }, {}].map((data) => sse.publishToUser('ann', data));
  const outcomes = Promise.all(publishes.map((publish) => publish.catch(({ code, outcome }) => `${code} ${outcome}`)));
  await sse.shutdown({ graceMs: 20 });
  expect(await outcomes).toEqual(['PUBLISH_UNANSWERED unknown', 'PUBLISH_REFUSED refused', 'PUBLISH_REFUSED refused']);
  await new Promise(setImmediate);
  expect(sent).toHaveLength(1);
});
