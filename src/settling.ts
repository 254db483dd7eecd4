import { asError } from './errors.js';
import { setImmediate } from './event-loop.js';

/** Waits for something, and no longer than that. */
export async function within(ms: number, something: Promise<unknown> | undefined): Promise<void> {
  if (something === undefined) return;
  let timer: NodeJS.Timeout | undefined;
  const over = new Promise((resolve) => {
    timer = setTimeout(resolve, ms);
  });
  try {
    await Promise.race([something, over]);
  } finally {
    clearTimeout(timer);
  }
}

/** The last part of a silence is counted only once the event loop turns. */
export const LAST_MS = 100;

/**
 * Calls when nothing came for so long. A process that was held up, by the application or from outside, has not heard until then
 * what waits in its sockets, and what it asked may leave only then. It does not keep the process alive. @returns cancels it
 */
export function afterSilence(ms: number, run: () => void): () => void {
  let cancelled = false;
  // Sockets are read before an immediate runs.
  const look = () => setImmediate(() => cancelled || run());
  let timer = setTimeout(() => {
    timer = setTimeout(look, LAST_MS).unref();
  }, ms - LAST_MS).unref();
  return () => {
    cancelled = true;
    clearTimeout(timer);
  };
}

/** What a function promises; what it throws at once rejects. */
export function promised<Value>(run: () => Promise<Value>): Promise<Value> {
  try {
    return run();
  } catch (error) {
    return Promise.reject(asError(error));
  }
}

/** Turns what is thrown at once into a rejection. */
export async function attempt(run: () => unknown): Promise<unknown> {
  return run();
}

/** A rejection that nobody awaits must not end the process. */
export function harmless<Value>(promise: Promise<Value>): Promise<Value> {
  promise.catch(() => undefined);
  return promise;
}

/** What a function of the application gave. A promise comes too late where the value is needed now: it is a failure. */
export function atOnce(value: unknown, name: string): unknown {
  if (!(value instanceof Promise)) return value;
  harmless(value);
  throw new TypeError(`${name} gave a promise: expected a value.`);
}
