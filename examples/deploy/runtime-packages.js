/**
 * Rewrites package.json and the lock file so that `npm prune --omit=dev` keeps what the examples load, in the versions of the
 * lock file, and nothing that only builds and tests them. An application of your own has it among its dependencies already.
 */
const { readdirSync, readFileSync, writeFileSync } = require('node:fs');
const path = require('node:path');

const IMPORT = /\b(?:require\(|import\(|from )'((?:@[^/']+\/)?[^./'][^/']*)/g;

const sources = readdirSync('examples', { recursive: true }).filter((name) => /\.[cm]?[jt]s$/.test(name));
const loaded = new Set(
  sources.flatMap((name) => {
    const text = readFileSync(path.join('examples', name), 'utf8');
    return [...text.matchAll(IMPORT)].map(([, found]) => found);
  }),
);

for (const file of ['package.json', 'package-lock.json']) {
  const content = JSON.parse(readFileSync(file, 'utf8'));
  const description = content.packages?.[''] ?? content;
  const versions = Object.entries(description.devDependencies).filter(([name]) => loaded.has(name));
  Object.assign(description, { dependencies: Object.fromEntries(versions), devDependencies: undefined });
  writeFileSync(file, `${JSON.stringify(content, null, 2)}\n`);
}
