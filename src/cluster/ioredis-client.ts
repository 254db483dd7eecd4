import { hasMethods, isRecord } from '../checks.js';

/** A client of the package `ioredis`, as far as the adapter uses it: a `Redis`, or a `Cluster`. */
export interface IORedisClient {
  readonly status: string;
  readonly isCluster?: boolean;
  on(event: string, listener: (...args: unknown[]) => void): unknown;
  duplicate(...args: unknown[]): unknown;
  connect(): Promise<unknown>;
  disconnect(reconnect?: boolean): unknown;
  subscribe(...channels: string[]): Promise<unknown>;
  unsubscribe(...channels: string[]): Promise<unknown>;
  call(command: string, ...args: string[]): Promise<unknown>;
}

/** A `Cluster`, which knows its nodes. */
export interface ClusterClient extends IORedisClient {
  nodes(role?: string): readonly IORedisClient[];
  /** The nodes of each slot as `host:port`, its owner first. */
  readonly slots: readonly (readonly string[])[];
  refreshSlotsCache(callback: (error?: unknown) => void): void;
}

/** A socket that can gather what is written. */
export interface Corkable {
  cork(): void;
  uncork(): void;
}

export const isCorkable = (value: unknown): value is Corkable => hasMethods(value, ['cork', 'uncork']);

const METHODS = ['on', 'duplicate', 'connect', 'disconnect', 'subscribe', 'unsubscribe', 'call'];

export function isClient(value: unknown): value is IORedisClient {
  return hasMethods(value, METHODS);
}

export function isCluster(client: IORedisClient): client is ClusterClient {
  return client.isCluster === true && hasMethods(client, ['nodes', 'refreshSlotsCache']);
}

export function optionsOf(client: IORedisClient): Readonly<Record<string, unknown>> {
  const options: unknown = Reflect.get(client, 'options');
  return isRecord(options) ? options : {};
}
