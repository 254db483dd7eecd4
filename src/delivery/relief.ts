import { onceAborted } from './abort.js';
import type { Connection } from './connection.js';

/** Who waits for a connection to take more. Beside the connections, since most are never waited for. */
const waiting = new WeakMap<Connection, Set<() => void>>();
/** How many wait, so that nobody is looked for where nobody is. */
let count = 0;

/** Resolves when the connection can take more or has ended, or the signal aborts. */
export function relieved(connection: Connection, signal: AbortSignal): Promise<void> {
  if (signal.aborted) return Promise.resolve();
  return new Promise((resolve) => {
    const set = waiting.get(connection) ?? new Set();
    waiting.set(connection, set);
    const done = () => {
      letGo();
      set.delete(done);
      count -= 1;
      if (set.size === 0) waiting.delete(connection);
      resolve();
    };
    set.add(done);
    count += 1;
    const letGo = onceAborted(signal, done);
  });
}

/** The connection can take more, or has ended. */
export function relieve(connection: Connection): void {
  if (count === 0) return;
  for (const done of [...(waiting.get(connection) ?? [])]) done();
}
