import { ACROSS_RUNS } from './runs/across.js';
import { API_RUNS } from './runs/api.js';
import type { Run } from './runs/context.js';
import { EGG_RUNS } from './runs/egg.js';
import { FRAMEWORK_RUNS } from './runs/frameworks.js';
import { LOSSLESS_RUNS } from './runs/lossless.js';
import { METRICS_RUNS } from './runs/metrics.js';
import { MIGRATION_RUNS } from './runs/migration.js';
import { OPERATIONS_RUNS } from './runs/operations.js';
import { QUICK_START_RUNS } from './runs/quick-start.js';
import { RECIPE_RUNS } from './runs/recipes.js';
import { TASK_RUNS } from './runs/tasks.js';
import { TESTING_RUNS } from './runs/testing.js';

/**
 * How each code block of the documentation is run: what stands around it, and what has to come of it. A name is that of the
 * block's `<!-- run: name -->` line.
 */
export const RUNS: Readonly<Record<string, Run>> = {
  ...QUICK_START_RUNS,
  ...FRAMEWORK_RUNS,
  ...EGG_RUNS,
  ...API_RUNS,
  ...OPERATIONS_RUNS,
  ...ACROSS_RUNS,
  ...LOSSLESS_RUNS,
  ...METRICS_RUNS,
  ...TASK_RUNS,
  ...MIGRATION_RUNS,
  ...RECIPE_RUNS,
  ...TESTING_RUNS,
};
