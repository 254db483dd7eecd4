/** Installs the peers and the packed ssekify beside the benchmarks, where users would have them. */
const { execFileSync } = require('node:child_process');
const { existsSync, mkdtempSync, readFileSync, rmSync } = require('node:fs');
const { tmpdir } = require('node:os');
const path = require('node:path');

const bench = path.join(__dirname, '..');
const root = path.join(bench, '..');
const QUIET = ['--no-audit', '--no-fund', '--loglevel', 'error'];

function npm(args, cwd) {
  return execFileSync('npm', args, {
    cwd,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'inherit'],
    shell: process.platform === 'win32',
  });
}

const readJson = (file) => JSON.parse(readFileSync(file, 'utf8'));

function installedVersion(name) {
  const file = path.join(bench, 'node_modules', name, 'package.json');
  return existsSync(file) ? readJson(file).version : undefined;
}

/**
 * @param {boolean} keep whether to take the ssekify of an earlier run
 * @returns versions by name
 */
function prepare(keep) {
  const { dependencies } = readJson(path.join(bench, 'package.json'));
  const missing = Object.entries(dependencies).some(([name, version]) => installedVersion(name) !== version);
  if (missing) npm(['ci', ...QUIET], bench);
  if (!keep || installedVersion('ssekify') === undefined) installSsekify();
  const names = [...Object.keys(dependencies), 'ssekify'];
  return Object.fromEntries(names.map((name) => [name, installedVersion(name)]));
}

/** Packing builds first, when what is built is older than its sources. */
function installSsekify() {
  const folder = mkdtempSync(path.join(tmpdir(), 'ssekify-bench-'));
  try {
    const [{ filename }] = JSON.parse(npm(['pack', '--json', '--pack-destination', folder, ...QUIET], root));
    npm(['install', '--no-save', '--no-package-lock', ...QUIET, path.join(folder, filename)], bench);
  } finally {
    rmSync(folder, { recursive: true, force: true });
  }
}

module.exports = { prepare };
