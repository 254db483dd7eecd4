import { describe, expect, it } from 'vitest';
import type { RedisLike, SSEKify } from '../../src/index.js';
import { openStream, type StreamClient } from '../helpers/client.js';
import { collect, next } from '../helpers/emitted.js';
import { serveHub, type TestHub } from '../helpers/server.js';

/** A channel that adapters of one kind are made for. */
export interface TestChannel {
  /** An adapter of its own connections, as one instance has it. */
  adapter(): RedisLike;
  /** Makes publishing fail from now on, for the adapters that are there. */
  refuse(): Promise<void> | void;
  /** Loses the subscriptions of all adapters, which subscribe again by themselves; absent where none can be lost. */
  loseSubscriptions?(): Promise<void>;
  /** Resolves when nothing that an adapter opened is left. */
  empty(): Promise<void>;
  /** Publishes without any adapter. */
  raw(channel: string, message: string): Promise<unknown>;
}

const CHANNEL = 'ssekify:bus';

interface Instance extends TestHub {
  ann: StreamClient;
}

async function instance(adapter: RedisLike, channel = CHANNEL): Promise<Instance> {
  const hub = await serveHub({ hub: { redis: adapter, channel, recentBufferSize: 1000 } });
  await hub.sse.ready();
  return { ...hub, ann: await openStream(`${hub.url}/ann`) };
}

const numbers = (client: StreamClient) => client.events.map(({ data }) => JSON.parse(data).i);
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);

const isUp = (sse: SSEKify) => sse.stats().bus.state === 'up';

/**
 * What ssekify asks of an adapter; `make` gives a channel that ends with the test. `keepsSubscriptions` says that none can be
 * lost.
 */
export function contract(name: string, make: () => Promise<TestChannel>, keepsSubscriptions = false): void {
  describe(`a RedisLike: ${name}`, () => {
    it('delivers to all instances, the publisher included, once and in call order', async () => {
      const channel = await make();
      const [a, b] = [await instance(channel.adapter()), await instance(channel.adapter())];
      for (const i of upTo(100)) a.sse.publish({ i }, 'ann', i % 3 === 0 ? {} : { event: 'e' });
      await Promise.all([a.ann.received(100), b.ann.received(100)]);
      expect(numbers(a.ann)).toEqual(upTo(100));
      expect(numbers(b.ann)).toEqual(upTo(100));
      expect(a.ann.events).toEqual(b.ann.events);
      expect(a.sse.stats().bus.published).toBe(100);
      expect(b.sse.stats().bus).toMatchObject({ received: 100, duplicates: 0, invalid: 0, fallbacks: 0 });
    });

    it('takes messages of others, and leaves those of other channels', async () => {
      const channel = await make();
      const a = await instance(channel.adapter());
      await channel.raw('elsewhere', '{"type":"all","data":{"i":0}}');
      await channel.raw(CHANNEL, '{"type":"all","data":{"i":1}}');
      await a.ann.received(1);
      expect(numbers(a.ann)).toEqual([1]);
    });

    it('carries any text as it is', async () => {
      const channel = await make();
      const [a, b] = [await instance(channel.adapter()), await instance(channel.adapter())];
      const text = '\u0000 "quotes" \\ \u2028 \u{1F600} é\u0301 \u007f end';
      await a.sse.publishToUser('ann', text, { text: true });
      await a.sse.publishToUser('ann', { text });
      const [plain, json] = await b.ann.received(2);
      expect(plain?.data).toBe(text);
      expect(JSON.parse(json?.data ?? '').text).toBe(text);
    });

    it('rejects a publish that was not taken, with its id and what became of it, and goes on', async () => {
      const channel = await make();
      const a = await instance(channel.adapter());
      await channel.refuse();
      const errors = collect(a.sse, 'error');
      await expect(a.sse.publishToUser('ann', { i: 0 }, { id: 'x' })).rejects.toMatchObject({
        name: 'SSEKifyError',
        code: 'PUBLISH_REFUSED',
        id: 'x',
        outcome: 'refused',
        delivered: 1,
      });
      await a.ann.received(1);
      expect(errors.some(({ code }) => code === 'PUBLISH_REFUSED')).toBe(true);
      expect(a.sse.sendToUser('ann', { i: 1 })).toBe(1);
      await a.ann.received(2);
      expect(numbers(a.ann)).toEqual([0, 1]);
      expect(a.sse.stats().bus).toMatchObject({ refused: 1, fallbacks: 1, pending: 0 });
    });

    const lose = (channel: TestChannel) => channel.loseSubscriptions?.();
    if (!keepsSubscriptions)
      it('subscribes again after a loss, says so, and repeats nothing', async () => {
        const channel = await make();
        expect(channel.loseSubscriptions).toBeDefined();
        const [a, b] = [await instance(channel.adapter()), await instance(channel.adapter())];
        const errors = collect(b.sse, 'error');
        await a.sse.publishToUser('ann', { i: 0 });
        await Promise.all([a.ann.received(1), b.ann.received(1)]);
        for (const round of [1, 2]) {
          const down = next(b.sse, 'error');
          await lose(channel);
          await down;
          await Promise.all([a.sse.ready(), b.sse.ready()]);
          await a.sse.publishToUser('ann', { i: round });
          await Promise.all([a.ann.received(round + 1), b.ann.received(round + 1)]);
        }
        expect(numbers(a.ann)).toEqual([0, 1, 2]);
        expect(numbers(b.ann)).toEqual([0, 1, 2]);
        expect(b.sse.stats().bus).toMatchObject({ state: 'up', outages: 2, received: 3 });
        expect(errors.filter(({ code }) => code === 'BUS_DOWN')).toHaveLength(2);
      });

    it('serves two hubs, which end one after the other', async () => {
      const channel = await make();
      const adapter = channel.adapter();
      const [a, b] = [await instance(adapter, 'one'), await instance(adapter, 'two')];
      expect([isUp(a.sse), isUp(b.sse)]).toEqual([true, true]);
      await a.sse.publishToAll({ i: 1 });
      await b.sse.publishToAll({ i: 2 });
      await Promise.all([a.ann.received(1), b.ann.received(1)]);
      expect([numbers(a.ann), numbers(b.ann)]).toEqual([[1], [2]]);
      await a.sse.shutdown({ graceMs: 0 });
      await b.sse.publishToAll({ i: 3 });
      await b.ann.received(2);
      await b.sse.shutdown({ graceMs: 0 });
      await channel.empty();
    });

    it('frees everything at the end', async () => {
      const channel = await make();
      const a = await instance(channel.adapter());
      await a.sse.publishToAll({ requestId: 'r' });
      await a.sse.shutdown({ graceMs: 0 });
      await expect(a.sse.publishToAll({ i: 1 })).rejects.toMatchObject({ code: 'SHUTDOWN' });
      await expect(a.sse.ready()).rejects.toMatchObject({ code: 'SHUTDOWN' });
      await channel.empty();
    });

    it('can be closed before its first connection stands', async () => {
      const channel = await make();
      const hub = await serveHub({ hub: { redis: channel.adapter() } });
      const ready = hub.sse.ready();
      ready.catch(() => undefined);
      await hub.sse.shutdown({ graceMs: 0 });
      await ready.catch((error) => expect(error).toMatchObject({ code: 'SHUTDOWN' }));
      await channel.empty();
    });
  });
}

/** Asks until the answer is the wanted one: servers tell nobody when a connection of theirs is gone. */
export async function eventually(ask: () => Promise<boolean>): Promise<void> {
  for (;;) {
    if (await ask()) return;
    await new Promise((resolve) => setTimeout(resolve, 10));
  }
}
