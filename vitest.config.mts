import { defineConfig } from 'vitest/config';

/** Tests of the built package, which spawn npm scripts or pack it: after the others. */
const HEAVY = filesIn('package', 'examples', 'docs', 'bench');

/** Tests that mostly wait: for a failure to be noticed, or for a server to be replaced by another. */
const FAILURES = filesIn('failing', 'topology');

/** Tests that load the machine with processes of their own, though they wait half of the time: two files at a time. */
const CHAOS = filesIn('chaos');

const inCi = process.env.CI === 'true';

export default defineConfig({
  test: {
    // `.ci/run` takes its summary from the report, and fails when a test was skipped.
    reporters: inCi ? ['default', 'json'] : ['default'],
    outputFile: { json: 'node_modules/.cache/ssekify/test-report.json' },
    setupFiles: ['test/helpers/leaks.ts'],
    testTimeout: 20_000,
    hookTimeout: 60_000,
    // The runner gives up after 1 s, which a process held up by others has passed before it could do anything.
    expect: { poll: { timeout: 15_000 } },
    projects: [
      {
        extends: true,
        test: {
          name: 'unit',
          include: ['test/**/*.test.ts'],
          exclude: [...HEAVY, ...FAILURES, ...CHAOS],
          maxWorkers: 3,
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
          maxWorkers: 3,
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
          maxWorkers: 3,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 2 },
        },
      },
      {
        extends: true,
        test: {
          name: 'failures',
          include: FAILURES,
          maxWorkers: 6,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 3 },
        },
      },
      {
        extends: true,
        test: {
          name: 'chaos',
          include: CHAOS,
          globalSetup: ['test/helpers/build.ts'],
          maxWorkers: 2,
          testTimeout: 120_000,
          hookTimeout: 120_000,
          sequence: { groupOrder: 4 },
        },
      },
    ],
  },
});

function filesIn(...folders: string[]): string[] {
  return folders.map((folder) => `test/${folder}/**/*.test.ts`);
}
