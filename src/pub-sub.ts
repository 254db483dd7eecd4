import { Bus } from './cluster/bus.js';
import type { BusHost } from './cluster/bus-host.js';
import { createIORedisAdapter } from './cluster/ioredis.js';
import { RedisStreamAdapter } from './cluster/log/redis-stream.js';
import { Loopback } from './cluster/loopback.js';
import { Publisher } from './cluster/publisher.js';
import { keyValueOf, type RedisLike } from './cluster/redis-like.js';
import type { Clock } from './delivery/clock.js';
import type { Delivery } from './delivery/delivery.js';
import { type HubSettings, isAlone } from './options.js';
import type { Stamper } from './stamp/stamper.js';
import type { Counters } from './stats.js';

/** What publishing by way of a channel needs of its hub. */
export interface PubSubParts {
  host: BusHost;
  delivery: Delivery;
  stamper: Stamper;
  counters: Counters;
  clock: Clock;
  instanceId: string;
}

/** Opens the channel between instances, if there is one; a store of numbers alone asks for one inside this instance. */
export function openPubSub(settings: HubSettings, parts: PubSubParts): { bus: Bus; publisher: Publisher } | undefined {
  const { redis, channel, seq, maxPayloadBytes } = settings;
  const store = seq.redis ?? undefined;
  if (redis instanceof RedisStreamAdapter || isAlone(settings)) return undefined;
  const adapter: RedisLike = typeof redis === 'string' ? createIORedisAdapter(redis) : (redis ?? new Loopback());
  const common = { ...parts, adapter, channel };
  const numberField = settings.enableSeq ? seq.fieldName : undefined;
  const bus = new Bus({ ...common, maxPayloadBytes, numberField });
  const memoryOnly = seq.redis === null;
  const kv = memoryOnly ? undefined : (store ?? keyValueOf(adapter));
  // Numbers from a store of their own cannot be taken in the channel's atomic step.
  const atomic = store === undefined && !memoryOnly ? adapter.publishNumbered?.bind(adapter) : undefined;
  return { bus, publisher: new Publisher({ ...common, bus, numbers: seq, kv, atomic, memoryOnly }) };
}
