import { setImmediate } from '../event-loop.js';
import type { Delivery } from './delivery.js';
import { jitteredRetry } from './jitter.js';

const STEP_MS = 10;

/**
 * Ends all connections, each with its own `retry:`, evenly over the first half of `graceMs`, and cuts off after `graceMs`
 * those that do not read. Resolves when the last response is over.
 *
 * @param awaits - whether something is on its way to them; nobody is sent away before it, for a tenth of `graceMs`
 */
export async function sayFarewell(delivery: Delivery, graceMs: number, awaits: () => boolean): Promise<void> {
  const leaving = [...delivery.registry.all];
  const startedAt = delivery.clock.now();
  let next = 0;
  let heldMs = 0;
  const step = () => {
    const elapsed = delivery.clock.now() - startedAt;
    if (next === 0 && elapsed < graceMs / 10 && awaits()) {
      heldMs = elapsed;
      return;
    }
    const share = (elapsed - heldMs) / (graceMs / 2 - heldMs);
    const due = graceMs === 0 ? leaving.length : Math.floor(share * leaving.length) + 1;
    for (; next < Math.min(due, leaving.length); next += 1) {
      const connection = leaving[next];
      connection?.close('shutdown', jitteredRetry(connection.settings.retryMs));
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
