import {
  type Check,
  flag,
  integer,
  isRecord,
  milliseconds,
  oneOf,
  readOptions,
  refuse,
  text,
  type Values,
} from './checks.js';
import { RedisStreamAdapter } from './cluster/log/redis-stream.js';
import { isRedisLike, type RedisLike } from './cluster/redis-like.js';
import { messageOf, SSEKifyError, show } from './errors.js';
import { checkRoom } from './names.js';
import { atOnce } from './settling.js';
import type { AutoFieldsOptions, SeqOptions } from './stamp/options.js';
import { autoFieldsSchema, seqSchema } from './stamp/options.js';
import type { ConnectionOptions, DropPolicy, KeepAliveEvent, RespondOptions } from './types.js';
import { checkEvent, checkId, isEventName } from './wire/fields.js';
import { type HeaderChange, readHeaders } from './wire/head.js';

/** Options of `new SSEKify(options)`. Every one may be left out, or be `undefined`, which means its default. */
export interface SSEKifyOptions {
  /**
   * The channel between instances: a `redis://` URL, which loads `ioredis`, or an adapter; that of `createRedisStreamAdapter`
   * is lossless mode. None, `null`, `false` or `''`: this instance only.
   * @defaultValue none
   */
  redis?: RedisLike | RedisStreamAdapter | string | null | false | undefined;
  /**
   * Name of the channel between instances; hubs with different channels never see each other's events.
   * @defaultValue 'ssekify:bus'
   */
  channel?: string | undefined;
  /**
   * Milliseconds between heartbeats; `0` = none.
   * @defaultValue 15000
   */
  keepAliveMs?: number | undefined;
  /** Send heartbeats as this event and not as a comment, for clients that cannot see comments. */
  keepAliveEvent?: KeepAliveEvent | undefined;
  /**
   * The `retry:` sent first on every connection: how long a client waits before it reconnects, in milliseconds; `0` = at
   * once.
   * @defaultValue 2000
   */
  retryMs?: number | undefined;
  /**
   * Defaults for every `registerConnection`.
   * @defaultValue {}
   */
  connection?: ConnectionOptions | undefined;
  /**
   * Events kept for replay in each scope (each user, each room, everyone); `0` keeps none.
   * @defaultValue 20
   */
  recentBufferSize?: number | undefined;
  /** History and life of rooms: one set for all, or a function that gives the set of each by its name. Default: as users'. */
  roomOptions?: RoomOptions | ((room: string) => RoomOptions | undefined) | undefined;
  /**
   * Milliseconds after its last event when a user's or room's buffer is dropped; `0` = never.
   * @defaultValue 1800000 (30 minutes)
   */
  recentTTLMs?: number | undefined;
  /**
   * User and room buffers kept; over it the least recently used go.
   * @defaultValue 10000
   */
  recentMaxUsers?: number | undefined;
  /**
   * UTF-8 bytes of frames kept over all buffers; over it the least recently used buffers lose their oldest events.
   * @defaultValue 67108864 (64 MiB)
   */
  recentMaxBytes?: number | undefined;
  /**
   * Turns data into text. It must return a string; line breaks in it arrive as LF.
   * @defaultValue JSON.stringify
   */
  serializer?: ((data: unknown) => string) | undefined;
  /**
   * UTF-8 bytes that one serialized event may have; a larger one is sent to nobody. `0` = no limit.
   * @defaultValue 1048576 (1 MiB)
   */
  maxPayloadBytes?: number | undefined;
  /** Connections this instance takes; the next is sent away with a `retry:`. Default: no limit. */
  maxConnections?: number | undefined;
  /** Connections one user may have on this instance; the next gets status 429. Default: no limit. */
  maxConnectionsPerUser?: number | undefined;
  /** Fields added to data that lacks them. */
  autoFields?: AutoFieldsOptions | undefined;
  /**
   * Whether data with a key (`requestId`, `streamId`) is numbered.
   * @defaultValue true
   */
  enableSeq?: boolean | undefined;
  /** How data is numbered, and how events get their ids. */
  seq?: SeqOptions | undefined;
  /**
   * Name of the event that tells a client about a gap; `false` sends none.
   * @defaultValue 'server:gap'
   */
  gapEvent?: string | false | undefined;
}

/** How much history a room keeps, and when an empty one is removed. */
export interface RoomOptions {
  /** Events kept of the room for replay; `0` keeps none. Default: `recentBufferSize`. Not in lossless mode. */
  historySize?: number | undefined;
  /**
   * Milliseconds after its last connection left when the room is removed, with its history (which in lossless mode stays);
   * `0` = at once. Default: the room is removed at once, and its history kept as long as a user's.
   */
  emptyTimeoutMs?: number | undefined;
}

const EVENT_NAME = 'a non-empty string without CR, LF or NUL';

const eventName: Check<string> = (value, name) =>
  isEventName(value) && value !== '' ? value : refuse(name, value, EVENT_NAME);

const keepAliveEvent: Check<KeepAliveEvent | undefined> = (value, name) => {
  if (value === undefined) return undefined;
  if (!isRecord(value)) return refuse(name, value, 'an object { event, data }');
  const { event, data, ...others } = value;
  for (const other of Object.keys(others)) refuse(`${name}.${other}`, others[other], 'only event and data');
  return { event: eventName(event, `${name}.event`), data };
};

const rooms: Check<readonly string[] | undefined> = (value, name) => {
  if (value === undefined) return undefined;
  if (!Array.isArray(value)) return refuse(name, value, 'an array of room names');
  return [...new Set(Array.from(value, (room, index) => checkRoom(room, `${name}[${index}]`)))];
};

const headers: Check<readonly HeaderChange[]> = (value, name) => {
  if (value === undefined) return [];
  // A Map or a Headers has no names of its own, so that all it holds would be lost without a word.
  if (isRecord(value) && !(Symbol.iterator in value)) return readHeaders(value, name);
  return refuse(name, value, 'an object of names and values, not a list or a map');
};

const gapEvent: Check<string | false> = (value, name) => {
  if (value === undefined) return 'server:gap';
  if (value === false || (isEventName(value) && value !== '')) return value;
  return refuse(name, value, `${EVENT_NAME}, or false`);
};

const serializer: Check<(data: unknown) => unknown> = (value, name) => {
  if (value === undefined) return JSON.stringify;
  return typeof value === 'function' ? (data) => atOnce(value(data), name) : refuse(name, value, 'a function');
};

const lastEventId: Check<string | undefined> = (value, name) => {
  if (value === undefined || typeof value === 'string') return value;
  return typeof value === 'number' ? checkId(value) : refuse(name, value, 'a string or a finite number');
};

const signal: Check<AbortSignal | undefined> = (value, name) => {
  if (value === undefined || value instanceof AbortSignal) return value;
  return refuse(name, value, 'an AbortSignal');
};

const redis: Check<RedisLike | RedisStreamAdapter | string | undefined> = (value, name) => {
  if (value === undefined || value === null || value === false || value === '') return undefined;
  if (typeof value === 'string' && /^rediss?:\/\/|^unix:\/\//.test(value) && URL.canParse(value)) return value;
  if (value instanceof RedisStreamAdapter || isRedisLike(value)) return value;
  return refuse(name, value, 'a redis:// or rediss:// URL, an adapter (publish, subscribe, on), or nothing');
};

const roomSchema = { historySize: integer(undefined, 0), emptyTimeoutMs: milliseconds(undefined) };

/** How one room is kept, checked. */
export type RoomSettings = Values<typeof roomSchema>;

const roomOptions: Check<(room: string) => RoomSettings> = (value, name) => {
  if (typeof value === 'function')
    return (room) => readOptions(roomSchema, atOnce(value(room), name), `${name}(${show(room)})`);
  if (value !== undefined && !isRecord(value)) refuse(name, value, 'an object or a function');
  const settings = readOptions(roomSchema, value, name);
  return () => settings;
};

/** What every connection is run by, complete. Connections without options of their own share the hub's object. */
export interface ConnectionSettings {
  keepAliveMs: number;
  keepAliveEvent: KeepAliveEvent | undefined;
  retryMs: number;
  maxQueueItems: number;
  maxQueueBytes: number;
  dropPolicy: DropPolicy;
  maxLifetimeMs: number | undefined;
  stallTimeoutMs: number;
}

const settingsSchema = (defaults: ConnectionSettings) => ({
  keepAliveMs: milliseconds(defaults.keepAliveMs),
  keepAliveEvent: (value: unknown, name: string) => keepAliveEvent(value, name) ?? defaults.keepAliveEvent,
  retryMs: milliseconds(defaults.retryMs),
  maxQueueItems: integer(defaults.maxQueueItems, 0),
  maxQueueBytes: integer(defaults.maxQueueBytes, 0),
  dropPolicy: oneOf<DropPolicy, DropPolicy>(['oldest', 'newest', 'disconnect'], defaults.dropPolicy),
  maxLifetimeMs: milliseconds(defaults.maxLifetimeMs, 1),
  stallTimeoutMs: milliseconds(defaults.stallTimeoutMs),
});

const hubSchema = {
  redis,
  channel: text('ssekify:bus'),
  keepAliveMs: milliseconds(15_000),
  keepAliveEvent,
  retryMs: milliseconds(2000),
  connection: (value: unknown) => value,
  recentBufferSize: integer(20, 0),
  roomOptions,
  recentTTLMs: milliseconds(30 * 60_000),
  recentMaxUsers: integer(10_000, 0),
  recentMaxBytes: integer(64 * 1024 * 1024, 0),
  serializer,
  maxPayloadBytes: integer(1024 * 1024, 0),
  maxConnections: integer(undefined, 1),
  maxConnectionsPerUser: integer(undefined, 1),
  autoFields: (value: unknown, name: string) => readOptions(autoFieldsSchema, value, name),
  enableSeq: flag(true),
  seq: (value: unknown, name: string) => readOptions(seqSchema, value, name),
  gapEvent,
};

/** Reads and checks the options of a hub. */
export function readHubOptions(options: unknown) {
  return readOptions(hubSchema, options, 'options');
}

export type HubSettings = ReturnType<typeof readHubOptions>;

/** What holds for one registration. */
export interface Registration {
  settings: ConnectionSettings;
  rooms: readonly string[];
  headers: readonly HeaderChange[];
  lastEventId: string | undefined;
  signal: AbortSignal | undefined;
}

/** Takes what is called with the handle out of `respond`'s options. @throws SSEKifyError INVALID_OPTION */
export function takeConnected<Events extends object>(options: RespondOptions<Events> | undefined) {
  const { connected, ...rest } = options ?? {};
  if (connected !== undefined && typeof connected !== 'function') refuse('options.connected', connected, 'a function');
  // What is no object is refused with the rest.
  return { connected, rest: isRecord(options) ? rest : options };
}

/** Reads the options of `registerConnection` calls, over the hub's defaults for them. */
export function registrationReader(hub: HubSettings): (options: unknown) => Registration {
  const base = {
    keepAliveMs: hub.keepAliveMs,
    keepAliveEvent: hub.keepAliveEvent,
    retryMs: hub.retryMs,
    maxQueueItems: 100,
    maxQueueBytes: 256 * 1024,
    dropPolicy: 'oldest',
    maxLifetimeMs: undefined,
    stallTimeoutMs: 300_000,
  } as const;
  const common = { rooms, headers };
  const defaults = readOptions({ ...settingsSchema(base), ...common }, hub.connection, 'options.connection');
  const { rooms: defaultRooms = [], headers: defaultHeaders, ...settings } = defaults;
  const schema = { ...settingsSchema(settings), ...common, lastEventId, signal };
  const isOwn = ([name, value]: [string, unknown]) => value !== Reflect.get(settings, name);
  const plain: Registration = {
    settings,
    rooms: defaultRooms,
    headers: defaultHeaders,
    lastEventId: undefined,
    signal: undefined,
  };
  return (options) => {
    if (options === undefined) return plain;
    const {
      rooms: ownRooms = defaultRooms,
      headers: ownHeaders,
      lastEventId,
      signal,
      ...own
    } = readOptions(schema, options, 'options');
    return {
      settings: Object.entries(own).some(isOwn) ? own : settings,
      rooms: ownRooms,
      headers: [...defaultHeaders, ...ownHeaders],
      lastEventId,
      signal,
    };
  };
}

/** Whether no id comes from elsewhere, by way of a channel or since a store of numbers takes its time. */
export const isAlone = ({ redis, seq }: HubSettings): boolean =>
  redis === undefined && (seq.redis ?? undefined) === undefined;

/** Asks how a room is kept; a function that fails is reported, and the room kept as others are. */
export function saferRoomOptions(
  ask: (room: string) => RoomSettings,
  report: (error: SSEKifyError) => void,
): (room: string) => RoomSettings {
  return (room) => {
    try {
      return ask(room);
    } catch (cause) {
      const message = `options.roomOptions failed: ${messageOf(cause)}`;
      report(cause instanceof SSEKifyError ? cause : new SSEKifyError('INVALID_OPTION', message, { cause }));
      return { historySize: undefined, emptyTimeoutMs: undefined };
    }
  };
}

const shutdownSchema = {
  announce: flag(true),
  event: (value: unknown, name: string) => checkEvent(text('server:shutdown')(value, name)),
  graceMs: milliseconds(5000),
};

export const readShutdownOptions = (options: unknown) => readOptions(shutdownSchema, options, 'options');
