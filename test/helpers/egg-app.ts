import { cp, mkdir, mkdtemp, rm, symlink } from 'node:fs/promises';
import path from 'node:path';
import { fileURLToPath } from 'node:url';
import { atEnd } from './cleanup.js';
import { type Example, startFile } from './example.js';
import { freePort } from './redis.js';

const ROOT = fileURLToPath(new URL('../../', import.meta.url));

/** Starts the Egg application of test/egg/app, for which `ssekify` is the package as it was built; it ends with the test. */
export async function startEggApp(env: Readonly<Record<string, string>> = {}): Promise<Example> {
  const cache = path.join(ROOT, 'node_modules/.cache');
  await mkdir(cache, { recursive: true });
  // Inside the project, so that its development dependencies are found.
  const folder = await mkdtemp(path.join(cache, 'ssekify-egg-'));
  atEnd(() => rm(folder, { recursive: true, force: true, maxRetries: 10 }));
  await cp(path.join(ROOT, 'test/egg/app'), folder, { recursive: true });
  await mkdir(path.join(folder, 'node_modules'));
  await symlink(ROOT, path.join(folder, 'node_modules/ssekify'), 'dir');
  const app = await startFile(path.join(folder, 'index.js'), { PORT: String(await freePort()), ...env });
  atEnd(app.stop);
  return app;
}
