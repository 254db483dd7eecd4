import { isBuiltin } from 'node:module';
import { expect, it } from 'vitest';
import { readSources } from './sources.js';

const sources = readSources();

/**
 * From the ground up. A file imports values from the layers below its own, and from its own folder; types it may also
 * take from beside and, where the class's options describe them, from above.
 */
const LAYERS: readonly (readonly string[])[] = [
  ['types.ts', 'errors.ts', 'event-loop.ts'],
  ['wire/'],
  ['checks.ts', 'aging-map.ts', 'counted-ids.ts', 'diagnostics.ts', 'own-text.ts', 'settling.ts', 'string-methods.ts'],
  ['names.ts', 'pump.ts'],
  ['stamp/', 'delivery/', 'cluster/', 'tasks/'],
  ['options.ts', 'events.ts', 'stats.ts'],
  ['event-ids.ts', 'lossless.ts', 'pub-sub.ts'],
  ['intake.ts'],
  ['hub.ts'],
  ['ssekify.ts'],
  ['index.ts'],
];
const TOP_OF_TYPES = layerOf('options.ts');

function layerOf(file: string): number {
  return LAYERS.findIndex((layer) => layer.some((part) => part === file || file.startsWith(part)));
}

function folderOf(file: string): string {
  return file.includes('/') ? file.slice(0, file.indexOf('/') + 1) : '';
}

/** The layers of the core; a folder that is not named there is a capability of its own, beside the package. */
const core = sources.filter(({ file }) => layerOf(file) >= 0);
const capabilities = sources.filter(({ file }) => layerOf(file) < 0);

it('lets values come only from the layers below, or from the same folder', () => {
  const wrong = core.flatMap(({ file, imports }) =>
    imports
      .filter(({ own, typesOnly }) => own && !typesOnly)
      .filter(({ target }) => folderOf(file) === '' || folderOf(target) !== folderOf(file))
      .filter(({ target }) => layerOf(target) < 0 || layerOf(target) >= layerOf(file))
      .map(({ target }) => `${file} imports ${target}`),
  );
  expect(wrong).toEqual([]);
});

it('lets nothing below the class know it, not even its type', () => {
  const wrong = core.flatMap(({ file, imports }) =>
    imports
      .filter(({ own, typesOnly, target }) => own && typesOnly && layerOf(target) > TOP_OF_TYPES)
      .filter(({ target }) => layerOf(target) >= layerOf(file))
      .map(({ target }) => `${file} imports the types of ${target}`),
  );
  expect(wrong).toEqual([]);
});

it('lets the wire and what is below it take no type from above', () => {
  const wrong = core
    .filter(({ file }) => layerOf(file) <= layerOf('wire/'))
    .flatMap(({ file, imports }) =>
      imports
        .filter(({ own, target }) => own && layerOf(target) > layerOf(file))
        .map(({ target }) => `${file} imports ${target}`),
    );
  expect(wrong).toEqual([]);
});

it('lets capabilities beside the core use the public class alone', () => {
  const wrong = capabilities.flatMap(({ file, imports }) =>
    imports
      .filter(({ own, target }) => own && target !== 'index.ts' && folderOf(target) !== folderOf(file))
      .map(({ target }) => `${file} imports ${target}`),
  );
  expect(wrong).toEqual([]);
  expect(capabilities.map(({ file }) => file).filter((file) => folderOf(file) === '')).toEqual([]);
});

it('has no file that imports itself by way of others', () => {
  const importsOf = new Map(sources.map(({ file, imports }) => [file, imports.filter(({ typesOnly }) => !typesOnly)]));
  const cycles: string[] = [];
  const cleared = new Set<string>();
  const visit = (file: string, trail: readonly string[]): void => {
    if (trail.includes(file)) {
      cycles.push([...trail.slice(trail.indexOf(file)), file].join(' → '));
    } else if (!cleared.has(file)) {
      for (const { target } of importsOf.get(file) ?? []) visit(target, [...trail, file]);
      cleared.add(file);
    }
  };
  for (const { file } of sources) visit(file, []);
  expect(cycles).toEqual([]);
});

it('imports only files that are there, and of packages only Node itself and, in the adapters, a Redis client', () => {
  const files = new Set(sources.map(({ file }) => file));
  const wrong = sources.flatMap(({ file, imports }) =>
    imports
      .filter(({ own, target }) => (own ? !files.has(target) : !target.startsWith('node:') || !isBuiltin(target)))
      .filter(({ target }) => !(file.startsWith('cluster/') && ['ioredis', 'redis'].includes(target)))
      .map(({ target }) => `${file} imports ${target}`),
  );
  expect(wrong).toEqual([]);
});

it('keeps the index to exports', () => {
  const index = sources.find(({ file }) => file === 'index.ts');
  expect(index?.text).toContain('export default ssekify;');
  expect(index?.text).not.toMatch(/\b(?:function|class|interface|if|for)\b[^'`]*\{/);
});
