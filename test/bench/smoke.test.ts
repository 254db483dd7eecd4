import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';

it('measures every scenario with a few connections, and loses no frame', () => {
  const { stdout, stderr, status } = spawnSync(process.execPath, ['bench/run.js', '--smoke'], {
    encoding: 'utf8',
    timeout: 100_000,
  });
  expect(`${stdout}${stderr}`).toContain('No frame was lost.');
  expect(status).toBe(0);
});
