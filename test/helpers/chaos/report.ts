import { appendFileSync } from 'node:fs';
import type { Verdict } from './oracle.js';

/** A line of the table that `npm run chaos` prints. */
export interface Row extends Verdict {
  /** What was done. */
  fault: string;
  /** That it was done: what the test saw of it. */
  evidence: string;
}

/** Notes a row for the table, where somebody collects them. */
export function note(row: Row): void {
  const file = process.env.SSEKIFY_CHAOS_ROWS;
  if (file !== undefined) appendFileSync(file, `${JSON.stringify(row)}\n`);
}
