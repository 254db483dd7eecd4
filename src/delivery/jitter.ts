import { MAX_TIMER_MS } from '../wire/fields.js';
import { FINEST_SLOT_MS } from './clock.js';

/** A reconnection time that spreads clients which are sent away together: once to three times the usual, at least 1 s. */
export function jitteredRetry(retryMs: number): number {
  const base = Math.max(retryMs, 1000);
  return Math.min(Math.round(base * (1 + 2 * Math.random())), MAX_TIMER_MS);
}

/**
 * A lifetime that spreads the ends of clients which came together: up to 10 % less. What the clock may be late by, 1 % or
 * a slot, is in it.
 */
export function jitteredLifetime(ms: number): number {
  return Math.max(1, Math.floor(Math.min(ms * (0.99 - Math.random() * 0.09), ms - FINEST_SLOT_MS)));
}
