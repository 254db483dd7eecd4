import type { Redis } from 'ioredis';
import type { SSEKifyOptions } from '../../../src/index.js';
import { type RedisServer, startRedis } from '../redis.js';
import { ROOMS, USERS } from './audience.js';
import { type AdapterSettings, Instance, type InstanceSettings } from './instance.js';
import { Publisher } from './publisher.js';

export const CHANNEL = 'chaos';
/** The log's key in Redis. */
export const LOG = `{${CHANNEL}}:log`;

const INSTANCES = 3;
const PUBLISHERS = 2;

const HUB: SSEKifyOptions = {
  channel: CHANNEL,
  retryMs: 50,
  keepAliveMs: 1000,
  autoFields: { timestamp: false },
};

export interface StageOptions {
  mode?: AdapterSettings['mode'];
  /** Options of the log. */
  log?: Readonly<Record<string, unknown>>;
  /** Options of redis-server. */
  redis?: readonly string[];
  /** What is special about the n-th instance. */
  instance?: (n: number) => InstanceOverrides;
}

export interface InstanceOverrides extends Partial<Omit<InstanceSettings, 'adapter'>> {
  /** Where it finds Redis. */
  target?: unknown;
}

/** What a run needs: Redis, three instances of a service behind it, and two services that publish. */
export interface Stage {
  readonly mode: AdapterSettings['mode'];
  readonly redis: RedisServer;
  readonly instances: readonly Instance[];
  readonly publishers: readonly Publisher[];
  readonly ports: readonly number[];
}

/** Starts a Redis and all processes around it; they are ended when the test ends. */
export async function startStage(options: StageOptions = {}): Promise<Stage> {
  const redis = await startRedis([...(options.redis ?? []), '--enable-debug-command', 'yes']);
  return startStageAt(redis, redis.url, options);
}

/** The same at a Redis, or several, that run already. */
export async function startStageAt(
  redis: RedisServer,
  target: unknown,
  { mode = 'log', log = {}, instance = () => ({}) }: StageOptions,
): Promise<Stage> {
  const adapter = { mode, target, log };
  const instances = Array.from({ length: INSTANCES }, (_, n) => {
    const { target: ownTarget = target, ...own } = instance(n);
    return new Instance({ adapter: { ...adapter, target: ownTarget }, hub: HUB, graceMs: 600, ...own });
  });
  const publishers = Array.from({ length: PUBLISHERS }, (_, index) => {
    return new Publisher({ adapter, hub: HUB, index, users: USERS, rooms: ROOMS });
  });
  await Promise.all([
    ...instances.map(async (each) => {
      await each.start();
      await each.ready();
    }),
    ...publishers.map((each) => each.ready()),
  ]);
  return { mode, redis, instances, publishers, ports: instances.map(({ port }) => port) };
}

/** Runs commands at Redis itself, beside the processes of the stage. */
export async function withClient<Result>(redis: RedisServer, use: (client: Redis) => Promise<Result>): Promise<Result> {
  const client = redis.client();
  try {
    return await use(client);
  } finally {
    client.disconnect();
  }
}
