import { type Check, integer, oneOf, readOptions, refuse, text, type Values } from '../checks.js';
import { atOnce } from '../settling.js';
import { isKeyValue, type KeyValue } from './key-value.js';

/** How an automatic field that the application provides is found. */
export interface AutoFieldSource {
  /** Gives the value, synchronously, once per event whose data lacks the field; `undefined` adds none. */
  getter?: ((data: Readonly<Record<string, unknown>>) => unknown) | undefined;
  /** Name of the field. */
  fieldName?: string | undefined;
}

/** Fields added to data that is a plain object and lacks them; other data is sent untouched. */
export interface AutoFieldsOptions {
  /**
   * `timestamp`: as an ISO 8601 string, as epoch milliseconds, or not at all.
   * @defaultValue 'iso'
   */
  timestamp?: 'iso' | 'epochMs' | false | undefined;
  /** The trace id; `fieldName` is `'traceId'` by default. Default mode `'off'`. */
  traceId?: (AutoFieldSource & { mode?: 'off' | 'ifMissing' | undefined }) | undefined;
  /**
   * The request id; `fieldName` is `'requestId'` by default. Default mode `'off'`; in mode `'require'` an event whose data
   * has none, and gets none from `getter`, is refused with `REQUEST_ID_REQUIRED`.
   */
  requestId?: (AutoFieldSource & { mode?: 'off' | 'ifMissing' | 'require' | undefined }) | undefined;
}

/** Makes an event's id from its data and its sequence number. Ids are at most 128 bytes when they are to need no CORS preflight. */
export type FrameIdFunction = (data: unknown, seq: number | undefined) => string | undefined;

/** How data is numbered, and how events get their ids. */
export interface SeqOptions {
  /**
   * The first number of a key.
   * @defaultValue 0
   */
  startAt?: 0 | 1 | undefined;
  /**
   * Name of the field that gets the number.
   * @defaultValue 'seq'
   */
  fieldName?: string | undefined;
  /** Gives the key whose numbers data takes; `undefined` numbers nothing. Default: `data.requestId`, else `data.streamId`. */
  keyExtractor?: ((data: Readonly<Record<string, unknown>>) => string | number | null | undefined) | undefined;
  /**
   * Whether data is the last of its key, which frees the key's counter 60 seconds later. Default: `final` is `true`, or
   * `phase` is `'done'` or `'error'`.
   */
  finalPredicate?: ((data: Readonly<Record<string, unknown>>) => boolean) | undefined;
  /**
   * How events get their ids. `'timestamp'`: `<epochMs>-<instanceId>-<counter>`, strictly increasing on an instance.
   * `'snowflake'`: a decimal 64-bit number, ordered by time. `'none'`: no automatic ids, so no replay. Or a function.
   * @defaultValue 'timestamp'
   */
  frameIdPolicy?: 'timestamp' | 'snowflake' | 'none' | FrameIdFunction | undefined;
  /**
   * Where the numbers of published events are counted for all instances; `null`: in memory only. Default: the adapter's own
   * counters; an instance that is alone counts in memory.
   */
  redis?: KeyValue | null | undefined;
  /**
   * What the names of counters in Redis begin with.
   * @defaultValue 'ssekify:seq:'
   */
  redisKeyPrefix?: string | undefined;
  /**
   * Seconds after its last number when a counter in Redis expires.
   * @defaultValue 86400 (a day)
   */
  redisTTLSeconds?: number | undefined;
  /** Node number in snowflake ids, an integer from 0 to 1023. Default: random. */
  nodeId?: number | undefined;
}

const optionalFunction: Check<((...args: unknown[]) => unknown) | undefined> = (value, name) => {
  if (value === undefined) return undefined;
  return typeof value === 'function' ? (...args) => atOnce(value(...args), name) : refuse(name, value, 'a function');
};

const source = <const Mode extends string>(fieldName: string, modes: readonly Mode[]) => {
  const schema = {
    mode: oneOf<Mode | 'off', 'off'>(['off', ...modes], 'off'),
    getter: optionalFunction,
    fieldName: text(fieldName),
  };
  return (value: unknown, name: string) => readOptions(schema, value, name);
};

export const autoFieldsSchema = {
  timestamp: oneOf(['iso', 'epochMs', false], 'iso'),
  traceId: source('traceId', ['ifMissing']),
  requestId: source('requestId', ['ifMissing', 'require']),
};

type FrameIdPolicy = 'timestamp' | 'snowflake' | 'none' | ((data: unknown, seq: number | undefined) => unknown);

const frameIdPolicy: Check<FrameIdPolicy> = (value, name) => {
  if (typeof value === 'function') return (data, seq) => atOnce(value(data, seq), name);
  if (value === undefined) return 'timestamp';
  if (value === 'timestamp' || value === 'snowflake' || value === 'none') return value;
  return refuse(name, value, "'timestamp', 'snowflake', 'none' or a function");
};

const counterStore: Check<KeyValue | null | undefined> = (value, name) => {
  if (value === undefined || value === null || isKeyValue(value)) return value;
  return refuse(name, value, 'an object with incr and expire, or null');
};

export const seqSchema = {
  startAt: oneOf([0, 1], 0),
  fieldName: text('seq'),
  keyExtractor: optionalFunction,
  finalPredicate: optionalFunction,
  frameIdPolicy,
  redis: counterStore,
  redisKeyPrefix: text('ssekify:seq:'),
  redisTTLSeconds: integer(86_400, 1, 2 ** 31 - 1, ' (s)'),
  nodeId: integer(undefined, 0, 1023),
};

export type AutoFieldsSettings = Values<typeof autoFieldsSchema>;
export type SeqSettings = Values<typeof seqSchema>;
