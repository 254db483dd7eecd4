import { readdir, rename, rm, symlink, writeFile } from 'node:fs/promises';
import path from 'node:path';
import { pathToFileURL } from 'node:url';
import { build } from 'tsup';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { blockNamed } from '../docs/markdown.js';
import { atEnd } from '../helpers/cleanup.js';
import { skipping } from '../helpers/programs.js';
import { install, type Packed, type Project, pack } from './packed.js';

let packed: Packed;
beforeAll(async () => {
  packed = await pack();
});
afterAll(() => packed.remove());

async function project(name: Parameters<typeof install>[1]): Promise<Project> {
  const made = await install(packed, name);
  atEnd(() => made.remove());
  return made;
}

it('installs into a CommonJS project and delivers there', async () => {
  const { run, folder } = await project('commonjs');
  expect(await run(process.execPath, ['use.cjs'])).toBe('delivered');
  const installed = await readdir(path.join(folder, 'node_modules'));
  expect(installed.filter((name) => !name.startsWith('.'))).toEqual(['ssekify']);
});

it('installs into an ESM project and delivers there', async () => {
  const { run } = await project('esm');
  expect(await run(process.execPath, ['use.mjs'])).toBe('delivered');
});

/** Prints the first line of the metrics of a hub, or why there are none. */
const METRICS = `
try {
  const stop = collectMetrics(new SSEKify(), { prefix: 'own_' });
  require('prom-client').register.metrics().then((text) => console.log(text.split('\\n')[0]));
} catch (error) {
  console.log(error instanceof SSEKifyError, error.code);
}`;

it.each([
  {
    system: 'CommonJS',
    args: [],
    head: "const { SSEKify, SSEKifyError } = require('ssekify'); const { collectMetrics } = require('ssekify/prometheus');",
  },
  {
    system: 'ESM',
    args: ['--input-type=module'],
    head: `import { createRequire } from 'node:module'; import { SSEKify, SSEKifyError } from 'ssekify';
      import metrics, { collectMetrics } from 'ssekify/prometheus'; const require = createRequire(import.meta.url);
      if (metrics.collectMetrics !== collectMetrics) throw new Error('not the same');`,
  },
])(
  'offers metrics to those who have prom-client, and tells others what is missing ($system)',
  async ({ args, head }) => {
    const { run, folder } = await project('commonjs');
    const print = () => run(process.execPath, [...args, '--eval', head + METRICS]);
    expect(await print()).toBe('true PEER_MISSING');
    await symlink(path.resolve('node_modules/prom-client'), path.join(folder, 'node_modules/prom-client'));
    expect(await print()).toBe('# HELP own_connections Open connections.');
  },
);

it('runs from a bundle that is an ES module, and finds there what it loads by itself', async () => {
  const { run, folder } = await project('esm');
  for (const name of ['ioredis', 'prom-client']) {
    await symlink(path.resolve('node_modules', name), path.join(folder, 'node_modules', name));
  }
  const entry = path.join(folder, 'bundled.js');
  await writeFile(
    entry,
    `import { SSEKify } from 'ssekify';
    import { collectMetrics } from 'ssekify/prometheus';
    const sse = new SSEKify({ redis: 'redis://127.0.0.1:1' });
    sse.on('error', () => {});
    collectMetrics(sse)();
    await sse.shutdown();
    console.log('loaded');`,
  );
  const banner = { js: blockNamed('bundle-banner').code };
  const options = { config: false, silent: true, format: 'esm', target: 'node20', platform: 'node' } as const;
  await build({ ...options, entry: [entry], outDir: path.join(folder, 'out'), noExternal: [/^ssekify/], banner });
  await rm(path.join(folder, 'node_modules/ssekify'), { recursive: true });
  // From elsewhere: it looks beside the bundle, and not where the process was started.
  const elsewhere = `process.chdir('/'); await import(${JSON.stringify(pathToFileURL(path.join(folder, 'out/bundled.mjs')))});`;
  expect(await run(process.execPath, ['--input-type=module', '--eval', elsewhere])).toBe('loaded');
});

it('tells in a bundle that has no `__filename` what is missing, and loads what the application has', async () => {
  const { run, folder } = await project('esm');
  const entry = path.join(folder, 'bundled.js');
  await writeFile(
    entry,
    `import { SSEKify } from 'ssekify';
    import { collectMetrics } from 'ssekify/prometheus';
    const codeOf = (make) => {
      try {
        make();
      } catch ({ code, cause }) {
        return code + ' ' + cause?.name;
      }
    };
    const sse = new SSEKify();
    const said = [codeOf(() => new SSEKify({ redis: 'redis://127.0.0.1:1' }).on('error', () => {}).shutdown())];
    said.push(codeOf(() => collectMetrics(sse)()));
    console.log(JSON.stringify(said));`,
  );
  const banner = { js: "import { createRequire } from 'node:module'; const require = createRequire(import.meta.url);" };
  const options = { config: false, silent: true, format: 'esm', target: 'node20', platform: 'node' } as const;
  await build({ ...options, entry: [entry], outDir: path.join(folder, 'out'), noExternal: [/^ssekify/], banner });
  const said = async () => JSON.parse(await run(process.execPath, ['out/bundled.mjs']));
  expect(await said()).toEqual(['REDIS_CLIENT_MISSING ReferenceError', 'PEER_MISSING ReferenceError']);
  for (const name of ['ioredis', 'prom-client']) {
    await symlink(path.resolve('node_modules', name), path.join(folder, 'node_modules', name));
  }
  expect(await said()).toEqual([null, null]);
});

/** The compiler and the types of Node are those of this repository; the package is the installed one. */
const COMPILER = path.resolve('node_modules/typescript/bin/tsc');
const STRICTEST = {
  target: 'es2022',
  strict: true,
  exactOptionalPropertyTypes: true,
  noUncheckedIndexedAccess: true,
  esModuleInterop: true,
  skipLibCheck: false,
  types: ['node'],
  typeRoots: [path.resolve('node_modules/@types')],
};

it.each([
  { kind: 'node16, as an ES module', source: 'use.mts', built: 'use.mjs', module: 'node16' },
  { kind: 'node16, as CommonJS', source: 'use.cts', built: 'use.cjs', module: 'node16' },
  { kind: 'node10', source: 'use.ts', built: 'use.js', module: 'commonjs', moduleResolution: 'node10' },
  {
    kind: 'node16, without the types of browsers',
    source: 'use.mts',
    built: 'use.mjs',
    module: 'node16',
    lib: ['es2022'],
  },
  { kind: 'nodenext', source: 'use.mts', built: 'use.mjs', module: 'nodenext' },
  { kind: 'bundler', source: 'use.mts', built: 'use.mjs', module: 'esnext', moduleResolution: 'bundler' },
  {
    kind: 'bundler, with the types of browsers that Next asks for',
    source: 'use.mts',
    built: 'use.mjs',
    module: 'esnext',
    moduleResolution: 'bundler',
    lib: ['dom', 'dom.iterable', 'esnext'],
  },
])('compiles in a TypeScript project ($kind) and delivers there', async ({ source, built, kind, ...resolution }) => {
  const { run, folder } = await project('typescript');
  await rename(path.join(folder, 'use.ts'), path.join(folder, source));
  const compilerOptions = { ...STRICTEST, ...resolution };
  await writeFile(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: [source] }));
  await run(process.execPath, [COMPILER]);
  expect(await run(process.execPath, [built])).toBe('delivered');
});

it('compiles with TypeScript 7 too, and delivers there', async ({ skip }) => {
  const { run, folder } = await project('typescript');
  const tsc = (...args: string[]) => run('npx', ['-y', '-p', 'typescript@7.0.2', 'tsc', ...args]);
  const version = await tsc('--version').catch((cause) => `unavailable: ${String(cause)}`);
  if (version.startsWith('unavailable')) {
    skipping('TypeScript 7 could not be fetched');
    skip();
  }
  expect(version).toBe('Version 7.0.2');
  await rename(path.join(folder, 'use.ts'), path.join(folder, 'use.mts'));
  const compilerOptions = { ...STRICTEST, module: 'nodenext' };
  await writeFile(path.join(folder, 'tsconfig.json'), JSON.stringify({ compilerOptions, files: ['use.mts'] }));
  await tsc();
  expect(await run(process.execPath, ['use.mjs'])).toBe('delivered');
});
