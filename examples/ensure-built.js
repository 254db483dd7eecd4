/**
 * Builds the library when `dist` is missing or older than what it is built from, so that an example or a test runs from
 * a fresh clone. Several processes may ask at once: one builds, the others wait for it.
 */
const { spawnSync } = require('node:child_process');
const { existsSync, mkdirSync, readFileSync, readdirSync, rmSync, statSync, writeFileSync } = require('node:fs');
const path = require('node:path');

const root = path.join(__dirname, '..');
const lock = path.join(root, 'node_modules/.cache/ssekify/build.lock');
const holder = path.join(lock, 'pid');

const BUILT = [
  ...['dist/index.js', 'dist/index.mjs', 'dist/index.d.mts', 'dist/metafile.json', 'index.d.ts'],
  ...[
    'dist/egg.js',
    'dist/egg.mjs',
    'dist/egg.d.ts',
    'dist/egg.d.mts',
    'dist/egg/package.json',
    'dist/egg/app.js',
    'dist/egg/agent.js',
  ],
];
const SOURCES = ['src', 'tsup.config.ts'];

function changedAt(file) {
  const stats = statSync(file);
  if (!stats.isDirectory()) return stats.mtimeMs;
  // A directory's own time tells of a file that was taken away.
  return Math.max(stats.mtimeMs, ...readdirSync(file).map((name) => changedAt(path.join(file, name))));
}

function isBuilt() {
  const built = BUILT.map((name) => path.join(root, name));
  if (!built.every((file) => existsSync(file))) return false;
  const newestSource = Math.max(...SOURCES.map((name) => changedAt(path.join(root, name))));
  return newestSource <= statSync(path.join(root, 'dist/index.js')).mtimeMs;
}

/** Making a directory either succeeds or not, for one process alone: that makes it a lock. */
function takeLock() {
  mkdirSync(path.dirname(lock), { recursive: true });
  try {
    mkdirSync(lock);
  } catch (error) {
    if (error.code === 'EEXIST') return false;
    throw error;
  }
  writeFileSync(holder, String(process.pid));
  return true;
}

/** Whether who took the lock is gone; two builds at once, should this err, cost time and nothing else. */
function isAbandoned() {
  try {
    process.kill(Number(readFileSync(holder, 'utf8')), 0);
    return false;
  } catch (error) {
    if (error.code !== 'ENOENT') return error.code === 'ESRCH';
    const taken = statSync(lock, { throwIfNoEntry: false });
    return taken !== undefined && Date.now() - taken.mtimeMs > 10_000;
  }
}

function sleep(ms) {
  Atomics.wait(new Int32Array(new SharedArrayBuffer(4)), 0, 0, ms);
}

function build() {
  console.error('Building ssekify …');
  const { status } = spawnSync('npm', ['run', '--silent', 'build'], {
    cwd: root,
    stdio: ['ignore', 2, 2],
    shell: process.platform === 'win32',
  });
  return status === 0;
}

function ensureBuilt() {
  while (!isBuilt()) {
    if (takeLock()) {
      try {
        if (!isBuilt() && !build()) process.exitCode = 1;
        return;
      } finally {
        rmSync(lock, { recursive: true, force: true });
      }
    }
    if (isAbandoned()) rmSync(lock, { recursive: true, force: true });
    else sleep(100);
  }
}

ensureBuilt();
