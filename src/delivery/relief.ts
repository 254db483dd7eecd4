import type { Connection } from './connection.js';

/** Who waits for a connection to take more. Beside the connections, since most are never waited for. */
const waiting = new WeakMap<Connection, Set<() => void>>();

/** Resolves when the connection has made progress or ended, or the signal aborts. */
export function relieved(connection: Connection, signal: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    const set = waiting.get(connection) ?? new Set();
    waiting.set(connection, set);
    const done = () => {
      set.delete(done);
      signal.removeEventListener('abort', done);
      resolve();
    };
    set.add(done);
    if (signal.aborted) done();
    else signal.addEventListener('abort', done);
  });
}

/** The connection has made progress, or ended. */
export function relieve(connection: Connection): void {
  for (const done of [...(waiting.get(connection) ?? [])]) done();
}
