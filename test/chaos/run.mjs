#!/usr/bin/env node
/**
 * Runs the tests of this folder in their full form, and prints what came of each fault as a Markdown table. Usage:
 * `npm run chaos [-- <part of a file's name> …]`. Exit code 0 = all of them passed.
 */
import { spawnSync } from 'node:child_process';
import { existsSync, mkdtempSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import os from 'node:os';
import path from 'node:path';

/** Which rows come first; files that are not named here come last. */
const ORDER = ['pub-sub', 'instances', 'redis', 'network', 'sentinel', 'clocks', 'storms', 'slow-readers', 'mixed'];

const COLUMNS = [
  ['Fault', ({ fault }) => fault],
  ['What was seen of it', ({ evidence }) => evidence],
  ['Clients', ({ clients }) => clients],
  ['Acknowledged', ({ acknowledged }) => acknowledged],
  ['Deliveries', ({ deliveries }) => deliveries],
  ['Lost', ({ lost }) => lost],
  ['Duplicated', ({ duplicated }) => duplicated],
  ['Out of order', ({ outOfOrder }) => outOfOrder],
  ['Gaps', ({ gaps }) => gaps],
];

const text = (value) => (typeof value === 'number' ? value.toLocaleString('en-US') : value);
const line = (cells) => `| ${cells.join(' | ')} |`;

function table(rows) {
  return [
    line(COLUMNS.map(([title]) => title)),
    line(COLUMNS.map((_column, n) => (n < 2 ? '---' : '---:'))),
    ...rows.map((row) => line(COLUMNS.map(([, cell]) => text(cell(row))))),
  ].join('\n');
}

const placeOf = (file) => {
  const place = ORDER.findIndex((name) => file.endsWith(`/${name}.test.ts`));
  return place === -1 ? ORDER.length : place;
};

function chosenFiles() {
  const parts = process.argv.slice(2);
  return readdirSync('test/chaos')
    .filter((name) => name.endsWith('.test.ts') && (parts.length === 0 || parts.some((part) => name.includes(part))))
    .map((name) => `test/chaos/${name}`)
    .sort((one, other) => placeOf(one) - placeOf(other));
}

/** One file at a time, in this order: vitest has one of its own. @returns its rows, and whether its tests passed */
function run(file, rowsFile) {
  const { status } = spawnSync(
    process.execPath,
    ['node_modules/vitest/vitest.mjs', 'run', '--project', 'chaos', file],
    // The table alone goes to the standard output.
    { stdio: ['ignore', 2, 2], env: { ...process.env, SSEKIFY_CHAOS: 'full', SSEKIFY_CHAOS_ROWS: rowsFile } },
  );
  const lines = existsSync(rowsFile) ? readFileSync(rowsFile, 'utf8').trim().split('\n') : [];
  rmSync(rowsFile, { force: true });
  return { rows: lines.map((each) => JSON.parse(each)), passed: status === 0 };
}

const directory = mkdtempSync(path.join(os.tmpdir(), 'ssekify-chaos-'));
const results = chosenFiles().map((file) => run(file, path.join(directory, 'rows')));
rmSync(directory, { recursive: true });
const [cpu] = os.cpus();
const when = new Date().toISOString().slice(0, 16).replace('T', ' ');
console.log(`${when} UTC: ${cpu?.model ?? 'unknown'}, ${os.cpus().length} cores, Node ${process.version}.\n`);
console.log(table(results.flatMap(({ rows }) => rows)));
process.exitCode = results.length > 0 && results.every(({ passed }) => passed) ? 0 : 1;
