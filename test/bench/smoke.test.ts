import { spawnSync } from 'node:child_process';
import { expect, it } from 'vitest';

it('measures every scenario with a few connections, and loses no frame', { timeout: 120_000 }, () => {
  const { stdout, stderr, status } = spawnSync('npm', ['run', '--silent', 'bench:smoke'], {
    encoding: 'utf8',
    timeout: 110_000,
    shell: process.platform === 'win32',
  });
  expect(`${stdout}${stderr}`).toContain('No frame was lost.');
  expect(status).toBe(0);
});
