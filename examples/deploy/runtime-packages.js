/**
 * Rewrites package.json and the lock file so that `npm prune --omit=dev` keeps what one example loads, in the versions of the
 * lock file, and nothing else: `node runtime-packages.js examples/…`. An application of your own has just that in its
 * dependencies already.
 */
const { readdirSync, readFileSync, writeFileSync } = require('node:fs');
const path = require('node:path');

const IMPORT = /\b(?:require\(|import\(|from |import )'([^']+)'/g;
const SOURCE = /\.[cm]?js$/;

/** The example's own folder, since some frameworks load files by where they lie, and all that these import. */
function sourcesOf(example) {
  const folder = path.dirname(example);
  const found = new Set(readdirSync(folder, { recursive: true }).map((name) => path.join(folder, name)));
  const sources = new Set([...found].filter((file) => SOURCE.test(file)));
  // A set that grows while it is gone through is gone through to its end.
  for (const file of sources) {
    const relative = importsOf(file).filter((name) => name.startsWith('.'));
    for (const name of relative)
      sources.add(path.relative('.', require.resolve(path.resolve(path.dirname(file), name))));
  }
  return [...sources];
}

function importsOf(file) {
  return [...readFileSync(file, 'utf8').matchAll(IMPORT)].map(([, name]) => name);
}

const packageOf = (name) => /^(?:@[^/]+\/)?[^/]+/.exec(name)?.[0];

const [, , example] = process.argv;
// The library itself loads ioredis, where there is a Redis.
const loaded = new Set(['ioredis', ...sourcesOf(example).flatMap(importsOf).map(packageOf)]);

for (const file of ['package.json', 'package-lock.json']) {
  const content = JSON.parse(readFileSync(file, 'utf8'));
  const description = content.packages?.[''] ?? content;
  const versions = Object.entries(description.devDependencies).filter(([name]) => loaded.has(name));
  Object.assign(description, { dependencies: Object.fromEntries(versions), devDependencies: undefined });
  writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`);
}
