import { EventEmitter } from 'node:events';
import { Readable } from 'node:stream';
import type { Cluster, Redis, RedisOptions } from 'ioredis';
import { type OpenMetricsContentType, Registry, register } from 'prom-client';
import type { RedisClientOptions, RedisClientType } from 'redis';
import { describe, expectTypeOf, it } from 'vitest';
import ssekify, {
  type AutoFieldsOptions,
  type ConnectInfo,
  type ConnectionOptions,
  type DisconnectInfo,
  type EventData,
  type EventName,
  type IORedisTarget,
  type JoinOptions,
  type NodeRedisTarget,
  type RedisLike,
  type RegisteredConnectionHandle,
  type RegisterOptions,
  type SendOptions,
  type SeqOptions,
  type ShutdownOptions,
  SSEKify,
  type SSEKifyDiagnostics,
  type SSEKifyOptions,
} from '../../src/index.js';
import { collectMetrics, type MetricsOptions } from '../../src/prometheus/index.js';

interface Notice {
  title: string;
}

interface Events {
  notice: Notice;
  count: number;
}

describe('a hub with an event map', () => {
  const sse = new SSEKify<Events>();

  it('takes the data that belongs to the event', () => {
    sse.sendToUser('ann', { title: 'hi' }, { event: 'notice' });
    sse.sendToAll(1, { event: 'count' });
    sse.sendToRoom('news', { title: 'hi' }, { event: 'notice', id: 'a', retry: 1 });
    void sse.publish({ title: 'hi' }, 'ann', { event: 'notice' });
    void sse.publish({ title: 'hi' }, undefined, { event: 'notice' });
    void sse.publishToUser('ann', { title: 'hi' }, { event: 'notice' });
    void sse.publishToAll(1, { event: 'count' });
    void sse.publishToRoom('news', 1, { event: 'count' });
  });

  it('refuses other data', () => {
    // @ts-expect-error: a notice has a title
    sse.sendToUser('ann', { name: 'hi' }, { event: 'notice' });
    // @ts-expect-error: a count is a number
    sse.sendToAll('one', { event: 'count' });
    // @ts-expect-error: a count is no notice
    sse.sendToRoom('news', { title: 'hi' }, { event: 'count' });
    // @ts-expect-error: a notice has a title
    void sse.publish(1, 'ann', { event: 'notice' });
    // @ts-expect-error: a notice has a title
    void sse.publishToUser('ann', {}, { event: 'notice' });
    // @ts-expect-error: a count is a number
    void sse.publishToAll('one', { event: 'count' });
    // @ts-expect-error: a notice has a title
    void sse.publishToRoom('news', 1, { event: 'notice' });
  });

  it('refuses an event that is not in the map', () => {
    // @ts-expect-error: there is no such event
    sse.sendToUser('ann', { title: 'hi' }, { event: 'notise' });
    // @ts-expect-error: there is no such event
    void sse.publish({ title: 'hi' }, 'ann', { event: 'notise' });
  });

  it('gives handles that know the map', () => {
    expectTypeOf<Parameters<typeof sse.registerConnection>[0]>().toEqualTypeOf<string | number>();
    expectTypeOf<ReturnType<typeof sse.registerConnection>>().toEqualTypeOf<RegisteredConnectionHandle<Events>>();
    sse.on('connect', (info) => {
      expectTypeOf(info).toEqualTypeOf<ConnectInfo<Events>>();
      info.handle.send({ title: 'hi' }, { event: 'notice' });
      // @ts-expect-error: a notice has a title
      info.handle.send(1, { event: 'notice' });
    });
  });

  it('checks what is piped as what is sent', () => {
    async function* notices() {
      yield { title: 'hi' };
    }
    sse.on('connect', ({ handle }) => {
      void handle.pipe(notices(), { event: 'notice' });
      void handle.pipe([1, 2], { event: 'count' });
      void handle.pipe(new ReadableStream<number>(), { event: 'count' });
      // A stream of Node does not say what its items are.
      void handle.pipe(Readable.from([1]), { event: 'count' });
      // The map says nothing of events without a name.
      void handle.pipe(['any', 'thing']);
      // @ts-expect-error: a count is no notice
      void handle.pipe([1], { event: 'notice' });
      // @ts-expect-error: a notice is no count
      void handle.pipe(notices(), { event: 'count' });
      // @ts-expect-error: there is no such event
      void handle.pipe([1], { event: 'notise' });
    });
  });

  it('lets a function of the caller be about any of its events', () => {
    const push = <Name extends EventName<Events>>(event: Name, data: EventData<Events, Name>) =>
      sse.sendToAll(data, { event });
    push('count', 1);
    push('notice', { title: 'hi' });
    // @ts-expect-error: a count is no notice
    push('notice', 1);
    // @ts-expect-error: there is no such event
    push('notise', 1);
  });
});

describe('a function that takes a hub', () => {
  const sse = new SSEKify<Events>();
  const reach = (hub: SSEKify): number => hub.sendToAll('tick', { event: 'clock' });

  it('takes one with a map where it asks for none, and so of its handles', () => {
    expectTypeOf(reach).toBeCallableWith(sse);
    expectTypeOf<SSEKify<Events>>().toExtend<SSEKify>();
    expectTypeOf<SSEKify<{ notice: Notice }>>().toExtend<SSEKify>();
    expectTypeOf<RegisteredConnectionHandle<Events>>().toExtend<RegisteredConnectionHandle>();
  });

  it('takes one with more in its map than it needs', () => {
    expectTypeOf<SSEKify<Events>>().toExtend<SSEKify<{ notice: Notice }>>();
  });

  it('takes none with other data, with less in its map, or without a map, where it relies on one', () => {
    expectTypeOf<SSEKify<Events>>().not.toExtend<SSEKify<{ notice: string }>>();
    expectTypeOf<SSEKify<Events>>().not.toExtend<SSEKify<{ other: string }>>();
    expectTypeOf<SSEKify<{ notice: Notice }>>().not.toExtend<SSEKify<Events>>();
    expectTypeOf<SSEKify>().not.toExtend<SSEKify<Events>>();
    expectTypeOf<RegisteredConnectionHandle>().not.toExtend<RegisteredConnectionHandle<Events>>();
  });
});

describe('a hub without an event map', () => {
  const sse = new SSEKify();

  it('takes any event and any data', () => {
    sse.sendToUser('ann', { any: 'thing' }, { event: 'whatever' });
    sse.sendToUser(42, [1, 2], {});
    sse.sendToAll(null);
    void sse.publish(new Date(), 'ann', { event: 'when' });
    expectTypeOf(sse.sendToAll).returns.toEqualTypeOf<number>();
    expectTypeOf(sse.publishToAll).returns.resolves.toHaveProperty('id');
  });

  it('tells what each of its own events carries', () => {
    sse.on('disconnect', ({ reason, durationMs }) => {
      expectTypeOf(durationMs).toEqualTypeOf<number>();
      expectTypeOf(reason).toExtend<string>();
      // @ts-expect-error: there is no such reason
      return reason === 'bored';
    });
    sse.on('error', (error) => expectTypeOf(error.code).toExtend<string>());
  });
});

describe('publish', () => {
  const sse = new SSEKify();
  const perhaps: string | undefined = JSON.parse('null');

  it('does not take a user id that may be undefined, which would be a broadcast', () => {
    // @ts-expect-error: it says neither whom it is for nor that it is for everyone
    void sse.publish({}, (() => perhaps)());
    // @ts-expect-error: nor does publishToUser
    void sse.publishToUser((() => perhaps)(), {});
    // @ts-expect-error: nor close, which would end all connections
    sse.close((() => perhaps)());
    // @ts-expect-error: nor clearRecent, which would forget everything
    sse.clearRecent((() => perhaps)());
  });

  it('takes undefined itself, which says everyone', () => {
    void sse.publish({}, undefined);
    void sse.publish({});
  });
});

/** The same properties, each there and undefined. */
type AllUndefined<Options> = { [Name in keyof Options]-?: undefined };

describe('options', () => {
  it('may all be given as undefined, also under exactOptionalPropertyTypes', () => {
    expectTypeOf<AllUndefined<SSEKifyOptions>>().toExtend<SSEKifyOptions>();
    expectTypeOf<AllUndefined<ConnectionOptions>>().toExtend<ConnectionOptions>();
    expectTypeOf<AllUndefined<RegisterOptions>>().toExtend<RegisterOptions>();
    expectTypeOf<AllUndefined<SendOptions>>().toExtend<SendOptions>();
    expectTypeOf<AllUndefined<JoinOptions>>().toExtend<JoinOptions>();
    expectTypeOf<AllUndefined<ShutdownOptions>>().toExtend<ShutdownOptions>();
    expectTypeOf<AllUndefined<AutoFieldsOptions>>().toExtend<AutoFieldsOptions>();
    expectTypeOf<AllUndefined<SeqOptions>>().toExtend<SeqOptions>();
  });

  it('can be checked with satisfies', () => {
    const options = { keepAliveMs: 0, connection: { dropPolicy: 'newest' } } satisfies SSEKifyOptions;
    expectTypeOf(options.connection.dropPolicy).toEqualTypeOf<'newest'>();
    // @ts-expect-error: there is no such option
    void ({ keepAlive: 0 } satisfies SSEKifyOptions);
  });
});

describe('the default export', () => {
  it('holds the class', () => {
    expectTypeOf(ssekify.SSEKify).toEqualTypeOf<typeof SSEKify>();
  });
});

class HomeMade extends EventEmitter {
  async publish(channel: string, message: string): Promise<void> {
    this.emit('message', channel, message);
  }

  async subscribe(_channel: string): Promise<void> {}
}

it('takes an adapter that extends EventEmitter', () => {
  expectTypeOf(new HomeMade()).toExtend<RedisLike>();
  expectTypeOf(SSEKify).toBeConstructibleWith({ redis: new HomeMade() });
});

it('takes options for Redis, and clients, as the libraries type them', () => {
  expectTypeOf<RedisOptions | Redis | Cluster>().toExtend<IORedisTarget>();
  expectTypeOf<RedisClientOptions | RedisClientType>().toExtend<NodeRedisTarget>();
  expectTypeOf<undefined>().not.toExtend<IORedisTarget | NodeRedisTarget>();
});

describe('metrics', () => {
  it('take registries of prom-client of either format, and hubs with a map or without', () => {
    expectTypeOf(collectMetrics).toBeCallableWith(new SSEKify(), { registry: register });
    expectTypeOf(collectMetrics).toBeCallableWith(new SSEKify(), { registry: new Registry<OpenMetricsContentType>() });
    expectTypeOf(collectMetrics).toBeCallableWith(new SSEKify<Events>(), { labels: { hub: 'one', shard: 1 } });
    expectTypeOf(collectMetrics).returns.toEqualTypeOf<() => void>();
    expectTypeOf<AllUndefined<MetricsOptions>>().toExtend<MetricsOptions>();
  });

  it('take no other registry, and no label without a value', () => {
    // @ts-expect-error: it is no registry
    collectMetrics(new SSEKify(), { registry: { metrics: () => '' } });
    // @ts-expect-error: a label has a value
    collectMetrics(new SSEKify(), { labels: { hub: undefined } });
  });
});

describe('diagnostics', () => {
  it('tell what each channel carries', () => {
    expectTypeOf<SSEKifyDiagnostics['ssekify:connect']['hub']>().toEqualTypeOf<SSEKify>();
    expectTypeOf<SSEKifyDiagnostics['ssekify:drop']['oldest']>().toEqualTypeOf<number>();
    expectTypeOf<SSEKifyDiagnostics['ssekify:disconnect']>().toExtend<DisconnectInfo>();
    // @ts-expect-error: there is no such channel
    expectTypeOf<SSEKifyDiagnostics['ssekify:bored']>().toBeObject();
  });
});
