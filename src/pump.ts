import { Readable } from 'node:stream';
import { isRecord, refuse } from './checks.js';
import { nextTurn } from './event-loop.js';
import { attempt } from './settling.js';
import type { Items } from './types.js';

/** Items that are taken in one go, so that an iterable which never waits leaves the event loop to others. */
const ITEMS_PER_TURN = 16;

/** Where items come from, whatever kind of iterable they are in. */
interface Source {
  next(): Promise<IteratorResult<unknown>>;
  /** Ends it early. */
  close(): unknown;
}

/** @throws SSEKifyError `INVALID_OPTION` */
export function checkItems(items: unknown): void {
  const object = Object(items);
  const methods = [Symbol.asyncIterator, Symbol.iterator].map((name) => typeof Reflect.get(object, name));
  if (!methods.includes('function')) refuse('items', items, 'an iterable or async iterable');
}

/**
 * Takes items until there are no more or the signal aborts, and closes the iterable in any case.
 * @throws what the iterable or `take` throws
 */
export async function pump(
  items: Items,
  signal: AbortSignal,
  take: (item: unknown) => Promise<unknown> | undefined,
): Promise<void> {
  const source = sourceOf(items);
  let stop: () => void = () => undefined;
  const onAbort = () => stop();
  signal.addEventListener('abort', onAbort);
  /** The next item; nothing when the signal aborts first. */
  const next = () =>
    new Promise<IteratorResult<unknown> | undefined>((resolve, reject) => {
      stop = () => resolve(undefined);
      source.next().then((result) => {
        if (isRecord(result)) resolve(result);
        else reject(new TypeError('the iterator gave no object'));
      }, reject);
    });
  let open = true;
  try {
    for (let taken = 1; !signal.aborted; taken += 1) {
      // What ends or throws closes itself.
      open = false;
      const result = await next();
      open = result?.done !== true;
      if (result === undefined || !open || signal.aborted) return;
      await take(result.value);
      if (taken % ITEMS_PER_TURN === 0) await nextTurn();
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    // What is waiting may answer late, or never; nobody waits for that, and how it fails is its own affair.
    if (open) attempt(() => source.close()).catch(() => undefined);
  }
}

function sourceOf(items: Items): Source {
  if (items instanceof ReadableStream) {
    // Its iterator would cancel only after the read that waits; so would the one of a Node stream.
    const reader = items.getReader();
    return { next: () => reader.read(), close: () => reader.cancel() };
  }
  if (!isAsync(items)) return syncSource(items[Symbol.iterator]());
  const iterator = items[Symbol.asyncIterator]();
  const close = () => {
    const closed = iterator.return?.();
    if (items instanceof Readable) items.destroy();
    return closed;
  };
  return { next: async () => iterator.next(), close };
}

/** As `for await` does, it waits for promises among the items. */
function syncSource(iterator: Iterator<unknown>): Source {
  const close = () => iterator.return?.();
  const next = async () => {
    const result = iterator.next();
    if (!isRecord(result) || result.done === true) return result;
    try {
      return { value: await result.value };
    } catch (error) {
      attempt(close).catch(() => undefined);
      throw error;
    }
  };
  return { next, close };
}

function isAsync(items: Items): items is AsyncIterable<unknown> {
  return typeof Reflect.get(Object(items), Symbol.asyncIterator) === 'function';
}
