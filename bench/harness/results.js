/** Where the figures of a run are kept. */
const { mkdirSync, readFileSync, writeFileSync } = require('node:fs');
const path = require('node:path');

const bench = path.join(__dirname, '..');
const README = path.join(bench, 'README.md');
const START = '<!-- results -->';
const END = '<!-- end of results -->';

/** The latest run, whole: medians, ratios, and every sample. */
function saveResults(all) {
  const folder = path.join(bench, 'results');
  mkdirSync(folder, { recursive: true });
  writeFileSync(path.join(folder, 'latest.json'), `${JSON.stringify(all, undefined, 2)}\n`);
}

/** Puts Markdown in the README, in the place of the last run's. */
function saveInReadme(markdown) {
  const text = readFileSync(README, 'utf8');
  const before = text.slice(0, text.indexOf(START) + START.length);
  const after = text.slice(text.indexOf(END));
  writeFileSync(README, `${before}\n\n${markdown}\n\n${after}`);
}

module.exports = { saveResults, saveInReadme };
