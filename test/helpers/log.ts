import type { EventSourceMessage } from 'eventsource-parser';
import {
  createRedisStreamAdapter,
  type IORedisTarget,
  type RedisStreamOptions,
  type RegisterOptions,
  type SSEKifyOptions,
} from '../../src/index.js';
import type { StreamReader } from './client.js';
import { collect } from './emitted.js';
import type { RedisServer } from './redis.js';
import { serveHub } from './server.js';

/** The keys of the default channel. */
export const LOG = '{ssekify:bus}:log';
export const COUNT = '{ssekify:bus}:count';
export const TICK = '{ssekify:bus}:tick';

export interface LogHubOptions {
  log?: RedisStreamOptions;
  hub?: SSEKifyOptions;
  register?: RegisterOptions;
  /** Do not wait until it is ready. */
  early?: boolean;
}

/** An instance in lossless mode behind a server. */
export async function logHub(target: IORedisTarget, { log, hub, register, early }: LogHubOptions = {}) {
  const served = await serveHub({
    hub: { ...hub, redis: createRedisStreamAdapter(target, log) },
    ...(register !== undefined && { register }),
  });
  const errors = collect(served.sse, 'error');
  const gaps = collect(served.sse, 'gap');
  if (early !== true) await served.sse.ready();
  return { ...served, errors, gaps };
}

/** Instances of one log. */
export function logHubs(count: number, redis: RedisServer, options?: LogHubOptions) {
  return Promise.all(Array.from({ length: count }, () => logHub(redis.url, options)));
}

/** What a client was told but for where it stands. */
export const told = ({ events }: StreamReader): EventSourceMessage[] =>
  events.filter(({ event }) => event !== 'server:cursor');

/** Its gaps' reasons. */
export const gapsOf = ({ events }: StreamReader): string[] =>
  events.filter(({ event }) => event === 'server:gap').map(({ data }) => JSON.parse(data).reason);

/** The data of published events, parsed. */
export const dataOf = (client: StreamReader) =>
  told(client)
    .filter(({ event }) => event !== 'server:gap')
    .map(({ data }) => JSON.parse(data));

/** Resolves when a client has been told so many events. */
export const untilTold = (client: StreamReader, count: number): Promise<void> =>
  client.until((reader) => told(reader).length >= count);

/** Resolves when a client stands somewhere in the log. */
export const untilPlaced = (client: StreamReader): Promise<void> =>
  client.until(({ lastEventId }) => lastEventId !== '');

/** How many times the server has run each command. */
export async function commandCalls(redis: RedisServer): Promise<Map<string, number>> {
  const info = await redis.client().info('commandstats');
  return new Map(
    [...info.matchAll(/cmdstat_([a-z|]+):calls=(\d+)/g)].map(([, name = '', calls]) => [name, Number(calls)]),
  );
}

export const range = (from: number, to: number): number[] =>
  Array.from({ length: Math.max(0, to - from) }, (_, index) => from + index);
