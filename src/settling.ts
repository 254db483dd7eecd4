import { asError } from './errors.js';

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

/** What a function promises; what it throws at once rejects. */
export function promised<Value>(run: () => Promise<Value>): Promise<Value> {
  try {
    return run();
  } catch (error) {
    return Promise.reject(asError(error));
  }
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
