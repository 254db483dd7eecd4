import { defineConfig } from 'vitest/config';

/** Tests of the built package, which spawn npm scripts or pack it: one file at a time, after the others. */
const HEAVY = ['package', 'examples', 'docs', 'bench', 'topology', 'chaos'].map(
  (folder) => `test/${folder}/**/*.test.ts`,
);

const inCi = process.env.CI === 'true';

export default defineConfig({
  test: {
    // `.ci/run` takes its summary from the report, and fails when a test was skipped.
    reporters: inCi ? ['default', 'json'] : ['default'],
    outputFile: { json: 'node_modules/.cache/ssekify/test-report.json' },
    setupFiles: ['test/helpers/leaks.ts'],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: HEAVY,
          maxWorkers: 2,
          sequence: { groupOrder: 0 },
        },
      },
      {
        extends: true,
        test: {
          // What goes to connections, once more with the fast way to the socket ruled out.
          name: 'plain-sink',
          include: ['wire', 'delivery', 'lifecycle', 'replay'].map((folder) => `test/${folder}/**/*.test.ts`),
          env: { SSEKIFY_SINK: 'response' },
          maxWorkers: 2,
          sequence: { groupOrder: 1 },
        },
      },
      {
        extends: true,
        test: {
          name: 'heavy',
          include: HEAVY,
          // Assertions about types, checked by the compiler; what else it finds is for `npm run typecheck` to tell.
          typecheck: { enabled: true, include: ['test/package/**/*.test-d.ts'], ignoreSourceErrors: true },
          globalSetup: ['test/helpers/build.ts'],
          fileParallelism: false,
          maxWorkers: 1,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 2 },
        },
      },
    ],
  },
});
