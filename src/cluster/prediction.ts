/** A number that is needed before Redis gives it is predicted so many times. */
export const MAX_PREDICTIONS = 12;
const EXACT_PREDICTIONS = 3;

/**
 * How many numbers beyond the one that Redis would give the next prediction leaves out, after so many that failed: whoever
 * is always a little late gets one too.
 */
export const headroomAfter = (failures: number): number =>
  failures < EXACT_PREDICTIONS ? 0 : 2 ** (failures - EXACT_PREDICTIONS);
