import type { Connection } from './connection.js';
import type { Delivery } from './delivery.js';

const STEP_MS = 10;

/**
 * Ends all connections evenly over the first half of `graceMs`, and cuts off after `graceMs` those that do not read.
 * Resolves when the last response is over.
 */
export async function sayFarewell(
  delivery: Delivery,
  graceMs: number,
  end: (connection: Connection) => void,
): Promise<void> {
  const leaving = [...delivery.registry.all];
  const startedAt = delivery.clock.now();
  let next = 0;
  const step = () => {
    const elapsed = delivery.clock.now() - startedAt;
    const due = graceMs === 0 ? leaving.length : Math.floor((elapsed / (graceMs / 2)) * leaving.length) + 1;
    for (; next < Math.min(due, leaving.length); next += 1) {
      const connection = leaving[next];
      if (connection !== undefined) end(connection);
    }
    if (next === leaving.length) clearInterval(stepping);
  };
  const stepping = setInterval(step, STEP_MS);
  const cutting = setTimeout(() => setImmediate(() => delivery.destroyAll()), graceMs);
  step();
  await delivery.whenEmpty();
  clearInterval(stepping);
  clearTimeout(cutting);
}
