import { afterAll, beforeAll, expect, it } from 'vitest';
import { skipping } from '../helpers/programs.js';
import { install, type Packed, type Project, pack } from './packed.js';

let packed: Packed;
let project: Project;
beforeAll(async () => {
  packed = await pack();
  project = await install(packed, 'commonjs');
});
afterAll(async () => {
  await project.remove();
  await packed.remove();
});

it.for([22, 24, 26])('delivers under Node %i', async (version, { skip }) => {
  const node = (...args: string[]) => project.run('npx', ['-y', '-p', `node@${version}`, 'node', ...args]);
  const running = await node('--version').catch((cause) => `unavailable: ${String(cause)}`);
  if (running.startsWith('unavailable')) {
    skipping(`Node ${version} could not be fetched`);
    skip();
  }
  expect(running).toMatch(new RegExp(`^v${version}\\.`));
  expect(await node('use.cjs')).toBe('delivered');
  expect(await node('behind.cjs')).toBe('caught up');
});
