import { execFile } from 'node:child_process';
import { cp, mkdtemp, rm, writeFile } from 'node:fs/promises';
import os from 'node:os';
import path from 'node:path';
import { promisify } from 'node:util';

const execute = promisify(execFile);

/** The package as `npm pack` makes it. */
export interface Packed {
  /** The tarball. */
  file: string;
  /** Its size in bytes. */
  size: number;
  /** What it holds. */
  names: string[];
  /** A folder with nothing but the package, installed by npm: once for all projects, which are copies of it. */
  installed(): Promise<string>;
  remove(): Promise<void>;
}

interface PackReport {
  filename: string;
  size: number;
  files: { path: string }[];
}

export async function pack(): Promise<Packed> {
  const folder = await temporaryFolder('pack');
  // Scripts stay out: what is tested was built before the tests began.
  const args = ['pack', '--json', '--ignore-scripts', '--pack-destination', folder];
  const { stdout } = await execute('npm', args);
  const [report]: PackReport[] = JSON.parse(stdout);
  if (report === undefined) throw new Error(`npm pack reported nothing: ${stdout}`);
  const file = path.join(folder, report.filename);
  let installed: Promise<string> | undefined;
  return {
    file,
    size: report.size,
    names: report.files.map((each) => each.path).sort(),
    installed() {
      installed ??= npmInstall(file);
      return installed;
    },
    async remove() {
      const folders = [folder, await installed?.catch(() => undefined)];
      for (const each of folders) if (each !== undefined) await rm(each, { recursive: true, force: true });
    },
  };
}

async function npmInstall(file: string): Promise<string> {
  const folder = await temporaryFolder('installed');
  await writeFile(path.join(folder, 'package.json'), JSON.stringify({ name: 'throw-away', private: true }));
  // Without dependencies there is nothing to fetch.
  const args = ['install', file, '--offline', '--no-audit', '--no-fund', '--ignore-scripts'];
  await execute('npm', args, { cwd: folder, timeout: 110_000 });
  return folder;
}

/** A throw-away project with the package installed, outside of this repository and its `node_modules`. */
export interface Project {
  folder: string;
  /** Runs a program there; resolves with what it printed, and rejects with it when it fails. */
  run(program: string, args: readonly string[]): Promise<string>;
  remove(): Promise<void>;
}

/** Makes a project of one of the folders in `projects/`. */
export async function install(packed: Packed, name: 'commonjs' | 'esm' | 'typescript' | 'web'): Promise<Project> {
  const folder = await temporaryFolder(name);
  const run = async (program: string, args: readonly string[]): Promise<string> => {
    try {
      const { stdout } = await execute(program, [...args], { cwd: folder, timeout: 110_000 });
      return stdout.trim();
    } catch (cause) {
      const said = typeof cause === 'object' && cause !== null && 'stdout' in cause ? `\n${String(cause.stdout)}` : '';
      throw new Error(`${path.basename(program)} ${args.join(' ')} failed: ${String(cause)}${said}`, { cause });
    }
  };
  await cp(await packed.installed(), folder, { recursive: true });
  await cp(new URL(`projects/${name}/`, import.meta.url), folder, { recursive: true });
  return { folder, run, remove: () => rm(folder, { recursive: true, force: true }) };
}

function temporaryFolder(purpose: string): Promise<string> {
  return mkdtemp(path.join(os.tmpdir(), `ssekify-${purpose}-`));
}
