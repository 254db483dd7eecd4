import { readFileSync } from 'node:fs';
import path from 'node:path';
import { afterAll, beforeAll, expect, it } from 'vitest';
import { type Packed, pack } from './packed.js';

let packed: Packed;
beforeAll(async () => {
  packed = await pack();
});
afterAll(() => packed.remove());

it('packs what users need and nothing else', () => {
  const documents = ['LICENSE', 'README.md', 'index.d.ts', 'package.json'];
  const rest = packed.names.filter((name) => !documents.includes(name));
  expect(packed.names).toEqual(expect.arrayContaining([...documents, 'dist/index.js', 'dist/index.mjs']));
  expect(
    rest.filter(
      (name) =>
        !/^dist\/(?:[a-z0-9-]+(?:\.js|\.mjs|\.d\.ts|\.d\.mts)|egg\/(?:app\.js|agent\.js|package\.json))$/.test(name),
    ),
  ).toEqual([]);
});

it('packs everything that package.json points to', () => {
  const manifest: unknown = JSON.parse(readFileSync('package.json', 'utf8'));
  const pointed = [...pathsIn(manifest)].map((each) => each.slice(2));
  expect(pointed.length).toBeGreaterThan(4);
  expect(pointed.filter((each) => !packed.names.includes(each))).toEqual([]);
});

it.each([
  { types: 'index.d.ts', built: 'dist/index.js' },
  { types: 'dist/egg.d.ts', built: 'dist/egg.js' },
  { types: 'dist/prometheus.d.ts', built: 'dist/prometheus.js' },
])('has as values what its types say are values ($types)', async ({ types, built }) => {
  const [, list = ''] = /^export \{([^}]*)\};$/m.exec(readFileSync(types, 'utf8')) ?? [];
  const said = list.split(',').map((each) => each.trim());
  const values = said.filter((each) => /^\w+$/.test(each)).sort();
  expect(values).not.toEqual([]);
  const exported: object = await import(path.resolve(built));
  expect(values).toEqual(
    Object.keys(exported)
      .filter((each) => /^(?!default$)\w+$/.test(each))
      .sort(),
  );
});

/** Every `./…` in the fields that Node and TypeScript resolve by. */
function* pathsIn(value: unknown): Generator<string> {
  if (typeof value === 'string' && value.startsWith('./')) yield value;
  if (typeof value === 'object' && value !== null) for (const each of Object.values(value)) yield* pathsIn(each);
}

it('is at most 87 kB when packed, a seventh of which are the comments of its types', () => {
  expect(packed.size).toBeLessThanOrEqual(87_000);
});

interface Metafile {
  inputs: Record<string, unknown>;
  outputs: Record<string, { imports: { path: string; external?: boolean }[] }>;
}

it('holds no code of third parties', () => {
  const { inputs, outputs }: Metafile = JSON.parse(readFileSync('dist/metafile.json', 'utf8'));
  expect(Object.keys(inputs)).toContain('src/index.ts');
  expect(Object.keys(inputs).filter((input) => !input.startsWith('src/'))).toEqual([]);
  const imports = Object.values(outputs).flatMap((output) => output.imports);
  const foreign = imports.filter(({ path }) => !path.startsWith('node:') && !path.startsWith('./'));
  // Redis clients are the user's own, and loaded only when asked for.
  expect(foreign.filter(({ path, external }) => external !== true || !['ioredis', 'redis'].includes(path))).toEqual([]);
});

/** Strict package managers let a package load what its manifest names, and nothing else. */
it('names as a peer each package that it loads by itself', () => {
  const { peerDependencies }: { peerDependencies: Record<string, string> } = JSON.parse(
    readFileSync('package.json', 'utf8'),
  );
  expect(Object.keys(peerDependencies)).toEqual(['ioredis', 'prom-client', 'redis']);
  // Applications have the official client of any version for purposes of their own, and are not to be refused for it.
  expect(peerDependencies.redis).toBe('*');
});

it('has no dependency that would be installed with it', () => {
  const manifest: Record<string, unknown> = JSON.parse(readFileSync('package.json', 'utf8'));
  expect(manifest.dependencies ?? {}).toEqual({});
  expect(manifest.optionalDependencies ?? {}).toEqual({});
  const optional = manifest.peerDependenciesMeta;
  expect(Object.keys(optional ?? {}).sort()).toEqual(Object.keys(manifest.peerDependencies ?? {}).sort());
});
