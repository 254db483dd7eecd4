import type { Registration } from '../options.js';
import type { RefusalReason } from '../types.js';
import { type HeaderChange, STREAM_HEADERS } from '../wire/head.js';
import type { Delivery } from './delivery.js';
import { jitteredRetry } from './jitter.js';
import type { Exchange } from './sinks/exchange.js';

/** How many connections are let in. */
export interface ConnectionLimits {
  maxConnections: number | undefined;
  maxConnectionsPerUser: number | undefined;
}

const REFUSAL_HEADERS: readonly HeaderChange[] = [
  { name: 'Content-Type', value: 'text/plain; charset=utf-8' },
  { name: 'Cache-Control', value: 'no-store' },
];

/** Lets a request in, with its head sent, or refuses it: then it is answered, and nothing of it is kept. */
export function admit(
  userId: string,
  exchange: Exchange,
  { settings, headers, signal }: Registration,
  { registry, draining }: Delivery,
  { maxConnections, maxConnectionsPerUser }: ConnectionLimits,
): RefusalReason | undefined {
  const streamHeaders = [...STREAM_HEADERS, ...headers];
  const refusal = exchange.refusal();
  if (refusal !== undefined) return refusal;
  if (exchange.headOnly) {
    exchange.answer(200, streamHeaders);
    return 'head';
  }
  if (signal?.aborted === true) {
    exchange.answer(200, streamHeaders);
    return 'gone';
  }
  const full = maxConnections !== undefined && registry.all.size >= maxConnections;
  if (draining || full) {
    // An EventSource takes any status but 200 as final, and would never come back.
    exchange.answer(200, streamHeaders, `retry: ${jitteredRetry(settings.retryMs)}\n\n`, draining);
    return draining ? 'draining' : 'limit';
  }
  const own = registry.users.countOf(userId);
  if (maxConnectionsPerUser !== undefined && own >= maxConnectionsPerUser) {
    const retryAfter = { name: 'Retry-After', value: Math.ceil(jitteredRetry(settings.retryMs) / 1000) };
    // In a stream that has begun this would be read as a field.
    const text = exchange.begun ? undefined : 'Too many connections of this user.\n';
    exchange.answer(429, [...headers, ...REFUSAL_HEADERS, retryAfter], text);
    return 'user-limit';
  }
  exchange.begin(streamHeaders);
  return undefined;
}
