import type { Run } from './context.js';

const IMPORTS = "import { SSEKify } from 'ssekify';";

/** Tests of an application: each ends by itself, and fails when its test does. */
export const TESTING_RUNS: Readonly<Record<string, Run>> = {
  'test-stream': {},
  'test-timers': {
    before: `import { once } from 'node:events';\nimport http from 'node:http';\nimport test, { mock } from 'node:test';\n${IMPORTS}`,
  },
  'test-channel': {
    before: `import assert from 'node:assert';\nimport { EventEmitter } from 'node:events';\n${IMPORTS}`,
  },
};
