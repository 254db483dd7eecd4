import { inspect } from 'node:util';
import { type HeaderValue, SSEKifyError, type SSEKifyOptions } from '../index.js';

/** The plugin's configuration, `exports.sse` in `config/config.default`: its own options, and all of a hub. */
export interface EggSSEOptions extends SSEKifyOptions {
  /**
   * Where clients connect.
   * @defaultValue '/stream'
   */
  path?: string | undefined;
  /** Headers of every stream; in short for the hub's `connection: { headers }`, beside which it is refused. */
  headers?: Readonly<Record<string, HeaderValue>> | undefined;
  /**
   * Connections that one worker takes; the next is sent away with a `retry:`. The hub's `maxConnections` takes precedence.
   * @defaultValue 10000
   */
  maxClients?: number | undefined;
  /**
   * Milliseconds between heartbeats; `0` = none. The hub's `keepAliveMs` takes precedence.
   * @defaultValue 10000
   */
  pingInterval?: number | undefined;
  /**
   * Name of the query parameter that says which pool a client belongs to. Named here, it is required: a request without it
   * gets 400. Default: `connectKey`, and a client that gives none belongs to the shared pool.
   */
  connectKey?: string | undefined;
  /**
   * Key of the shared pool, of clients that give no key.
   * @defaultValue '@sse/count'
   */
  cacheKey?: string | undefined;
}

const MAX_TIMER_MS = 2 ** 31 - 1;

export interface EggSettings {
  path: string;
  keyName: string;
  /** The pool of those who give no key; `undefined`: they are refused. */
  sharedKey: string | undefined;
  hub: SSEKifyOptions;
}

const isText = (value: unknown) => typeof value === 'string' && value !== '';
const isObject = (value: unknown) => typeof value === 'object' && value !== null && !Array.isArray(value);
const isInteger = (value: unknown, min: number, max: number) =>
  Number.isInteger(value) && Number(value) >= min && Number(value) <= max;

/** Reads the plugin's own options; what belongs to the hub is left for the hub to check. */
export function readEggOptions(options: EggSSEOptions = {}): EggSettings {
  if (!isObject(options)) refuse('', options, 'an object');
  const { path = '/stream', headers, maxClients = 10_000, pingInterval = 10_000, connectKey, ...others } = options;
  const { cacheKey = '@sse/count', connection, ...hub } = others;
  if (!isText(path) || !path.startsWith('/')) refuse('.path', path, 'a path that begins with /');
  if (!isInteger(maxClients, 1, Number.MAX_SAFE_INTEGER)) refuse('.maxClients', maxClients, 'an integer of at least 1');
  if (!isInteger(pingInterval, 0, MAX_TIMER_MS))
    refuse('.pingInterval', pingInterval, `an integer from 0 to ${MAX_TIMER_MS} (ms)`);
  if (connectKey !== undefined && !isText(connectKey)) refuse('.connectKey', connectKey, 'a non-empty string');
  if (!isText(cacheKey)) refuse('.cacheKey', cacheKey, 'a non-empty string');
  if (headers !== undefined && connection !== undefined)
    refuse('.headers', headers, 'nothing beside connection, which has headers of its own');
  return {
    path,
    keyName: connectKey ?? 'connectKey',
    sharedKey: connectKey === undefined ? cacheKey : undefined,
    hub: {
      ...hub,
      maxConnections: hub.maxConnections ?? maxClients,
      keepAliveMs: hub.keepAliveMs ?? pingInterval,
      connection: connection ?? { headers },
    },
  };
}

function refuse(name: string, value: unknown, allowed: string): never {
  const shown = inspect(value, { depth: 0, breakLength: Number.POSITIVE_INFINITY });
  throw new SSEKifyError('INVALID_OPTION', `config.sse${name} is ${shown}: expected ${allowed}.`);
}
