import { execFile } from 'node:child_process';
import { cpSync, existsSync, mkdirSync, readFileSync, statSync } from 'node:fs';
import path from 'node:path';
import { promisify } from 'node:util';

const run = promisify(execFile);

export interface Instruction {
  name: string;
  text: string;
}

export interface Stage {
  /** The image it begins with. */
  image: string;
  /** What later stages call it; `''` = nothing. */
  name: string;
  instructions: Instruction[];
}

/** What a container of the last stage would begin with. */
export interface Image {
  root: string;
  workdir: string;
  env: Record<string, string>;
}

/** The stages of a Dockerfile; what stands before the first, but for `ARG`, is an error. */
export function readStages(file: string): Stage[] {
  const stages: Stage[] = [];
  const globals: Record<string, string> = {};
  for (const { name, text } of instructionsOf(readFileSync(file, 'utf8'))) {
    const current = stages.at(-1);
    if (name === 'FROM') {
      const [, image = '', as = ''] = /^(\S+)(?: AS (\S+))?$/i.exec(expand(text, globals)) ?? [];
      stages.push({ image, name: as, instructions: [] });
    } else if (current !== undefined) {
      current.instructions.push({ name, text });
    } else if (name === 'ARG') {
      Object.assign(globals, assignments(text));
    } else {
      throw new Error(`${name} stands before FROM`);
    }
  }
  return stages;
}

/** One instruction a line, with the lines that a backslash joins, and without comments. */
function instructionsOf(text: string): Instruction[] {
  return text
    .replaceAll(/^\s*#.*\n/gm, '')
    .replaceAll(/\\\n/g, ' ')
    .split('\n')
    .filter((line) => line.trim() !== '')
    .map((line) => {
      const [, name, rest] = /^([A-Z]+) (.+)$/.exec(line.trim()) ?? [];
      if (name === undefined || rest === undefined) throw new Error(`no instruction: ${line}`);
      return { name, text: rest };
    });
}

const expand = (text: string, values: Readonly<Record<string, string>>) =>
  text.replaceAll(/\$\{(\w+)\}/g, (_, name) => values[name] ?? '');

/** `a=b c=d`; what has no value has the empty one. */
function assignments(text: string): Record<string, string> {
  return Object.fromEntries(text.split(' ').map((each) => [each.split('=')[0] ?? '', each.replace(/^[^=]*=?/, '')]));
}

/**
 * Does what `docker build` would, each stage in a folder of its own in place of a file system, with this machine's Node: it
 * copies what is to be copied, and runs what is to be run. From the context it copies only what the ignore file lets through.
 */
export async function buildImage(
  stages: readonly Stage[],
  context: { folder: string; allowed: readonly string[]; args: Readonly<Record<string, string>> },
  into: string,
): Promise<Image> {
  const built = new Map<string, string>();
  let image: Image = { root: '', workdir: '', env: {} };
  for (const [index, { name: stageName, instructions }] of stages.entries()) {
    image = { root: path.join(into, String(index)), workdir: '/', env: {} };
    built.set(stageName, image.root);
    const args: Record<string, string> = {};
    for (const { name, text: raw } of instructions) {
      const text = expand(raw, { ...args, ...image.env });
      if (name === 'ARG') {
        Object.assign(args, assignments(text));
        for (const each of Object.keys(args)) args[each] = context.args[each] ?? args[each] ?? '';
      } else if (name === 'ENV') Object.assign(image.env, assignments(text));
      else if (name === 'WORKDIR') {
        image.workdir = path.posix.resolve(image.workdir, text);
        mkdirSync(path.join(image.root, image.workdir), { recursive: true });
      } else if (name === 'COPY') copy(text, image, built, context);
      else if (name === 'RUN') {
        const env = { PATH: process.env.PATH, HOME: process.env.HOME, npm_config_prefer_offline: 'true', ...image.env };
        await run('sh', ['-c', text], { cwd: path.join(image.root, image.workdir), env });
      }
    }
  }
  return image;
}

function copy(
  text: string,
  { root, workdir }: Image,
  built: ReadonlyMap<string, string>,
  { folder, allowed }: { folder: string; allowed: readonly string[] },
): void {
  const words = text.split(' ');
  const from = words[0]?.startsWith('--from=') ? words.shift()?.slice('--from='.length) : undefined;
  const to = words.pop() ?? '';
  const base = from === undefined ? folder : built.get(from);
  if (base === undefined) throw new Error(`there is no stage ${from}`);
  for (const source of words) {
    if (from === undefined && !allowed.includes(source.split('/')[0] ?? '')) throw new Error(`${source} is ignored`);
    const file = path.join(base, source);
    if (!existsSync(file)) throw new Error(`there is no ${source}`);
    const target = path.join(root, path.posix.resolve(workdir, to));
    // Of a folder its contents are copied, a file goes into a folder that ends with a slash.
    const isInto = statSync(file).isFile() && to.endsWith('/');
    cpSync(file, isInto ? path.join(target, path.basename(source)) : target, { recursive: true });
  }
}
