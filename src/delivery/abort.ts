/** What ends with each signal. */
const endings = new WeakMap<AbortSignal, Set<() => void>>();

/**
 * Runs `end` when the signal aborts. However many wait for one signal, it has one listener: Node warns of more than ten.
 * @param signal - which has not aborted yet
 * @returns lets go of the signal
 */
export function onceAborted(signal: AbortSignal, end: () => void): () => void {
  const waiting = endings.get(signal) ?? listenTo(signal);
  waiting.add(end);
  return () => {
    waiting.delete(end);
    if (waiting.size > 0) return;
    endings.delete(signal);
    signal.removeEventListener('abort', endAll);
  };
}

function listenTo(signal: AbortSignal): Set<() => void> {
  const waiting = new Set<() => void>();
  endings.set(signal, waiting);
  signal.addEventListener('abort', endAll, { once: true });
  return waiting;
}

function endAll(this: AbortSignal): void {
  // Itself and no copy: what ends may let go of others that wait for the same signal, which are not to be told any more.
  for (const end of endings.get(this) ?? []) end();
}
