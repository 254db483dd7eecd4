import { setImmediate } from 'node:timers/promises';
import type { Items } from './types.js';

/** Items that are taken in one go, so that an iterable which never waits leaves the event loop to others. */
const ITEMS_PER_TURN = 16;

/**
 * Takes items until there are no more or the signal aborts, and closes the iterable in any case.
 * @throws what the iterable or `take` throws
 */
export async function pump(
  items: Items,
  signal: AbortSignal,
  take: (item: unknown) => Promise<unknown> | undefined,
): Promise<void> {
  const iterator = Symbol.asyncIterator in items ? items[Symbol.asyncIterator]() : items[Symbol.iterator]();
  let stop: () => void = () => undefined;
  const onAbort = () => stop();
  signal.addEventListener('abort', onAbort);
  /** The next item; nothing when the signal aborts first. */
  const next = () =>
    new Promise<IteratorResult<unknown> | undefined>((resolve, reject) => {
      stop = () => resolve(undefined);
      Promise.resolve(iterator.next()).then(resolve, reject);
    });
  let open = true;
  try {
    for (let taken = 1; !signal.aborted; taken += 1) {
      // What ends or throws closes itself.
      open = false;
      const result = await next();
      if (result?.done === true) return;
      open = true;
      if (result === undefined) return;
      await take(result.value);
      if (taken % ITEMS_PER_TURN === 0) await setImmediate();
    }
  } finally {
    signal.removeEventListener('abort', onAbort);
    // A generator that is waiting answers only when it goes on; nobody waits for that.
    if (open) closing(iterator).catch(() => undefined);
  }
}

async function closing(iterator: AsyncIterator<unknown> | Iterator<unknown>): Promise<void> {
  await iterator.return?.();
}
