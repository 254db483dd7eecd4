import path from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { openStream } from '../helpers/client.js';
import { program } from '../helpers/programs.js';
import { type Block, blockNamed, PAGES, ROOT, readDocument } from './markdown.js';
import type { Run } from './runs/context.js';
import { RUNS } from './runs.js';
import { type Program, Sandbox } from './sandbox.js';

const blocks = PAGES.flatMap((page) => readDocument(page).blocks);
const redisServer = program('redis-server');

/** Blocks that are not programs, and how each is checked. */
const OTHERS: Readonly<Record<string, string>> = {
  'first-curl': 'each request is made of the first example',
  clone: 'each npm script exists',
  install: 'it names this package',
  nginx: 'nginx serves a stream with it, where nginx is installed',
  caddy: 'not executed',
  'task-events': 'the program above it sends just that',
  'redis-cli': 'it is executed, where Redis is installed',
  python: 'it is executed, where Redis and Python are installed',
  'python-socket': 'it is executed, where Redis and Python are installed',
  'contributing-commands': 'each npm script and each path exists',
  acl: 'a redis-server takes it, and a hub gets along with it, where Redis is installed',
  'lossless-redis-cli': 'it is executed, where Redis is installed',
  'lossless-python': 'it is executed, where Redis and Python are installed',
  'lossless-acl': 'a redis-server takes it, and a hub gets along with it, where Redis is installed',
};

const PROGRAMS = ['js', 'mjs', 'cjs', 'ts'];
/** What stood there before somebody came to this library: it is written for another one, which is not installed. */
const isForeign = ({ name }: Block) => name?.endsWith('-before') === true;
const foreign = blocks.filter(isForeign);
const programs = blocks.filter((each) => PROGRAMS.includes(each.lang) && !isForeign(each));
const others = blocks.filter(({ lang }) => !PROGRAMS.includes(lang));

const runOf = ({ file, name, line }: Block): Run => {
  const run = RUNS[name ?? ''];
  if (run === undefined) throw new Error(`the block at ${file}:${line} has no name with a run`);
  return run;
};

const wholeProgram = (each: Block) => {
  const { before = '', after = '' } = runOf(each);
  return `${before}\n${each.code}\n${after}\n`;
};

it('has a run or a reason for each block, and a block for each run', () => {
  expect(programs.length).toBeGreaterThan(25);
  expect(programs.map(({ name }) => name).sort()).toEqual(Object.keys(RUNS).sort());
  expect(others.map(({ name }) => name).sort()).toEqual(Object.keys(OTHERS).sort());
});

it('shows a program after each one for another library, and no mistake of syntax in those', () => {
  expect(foreign.length).toBeGreaterThan(3);
  for (const { name, code } of foreign) {
    expect(programs.map((each) => each.name)).toContain(name?.replace(/before$/, 'after'));
    const { diagnostics } = ts.transpileModule(code, { fileName: 'foreign.js', reportDiagnostics: true });
    expect({ name, mistakes: diagnostics?.map(({ messageText }) => messageText) }).toEqual({ name, mistakes: [] });
  }
});

describe('each program of the documentation runs', () => {
  let sandbox: Sandbox;
  beforeAll(() => {
    sandbox = new Sandbox();
  });
  afterAll(() => sandbox.remove());

  const start = (name: string, env?: Record<string, string>): Program =>
    sandbox.start(wholeProgram(blockNamed(name)), blockNamed(name).lang, env);

  it.for(programs.map(({ name = '', file, line }) => ({ name, file, line })))(
    '$name, $file:$line',
    async ({ name }, { skip }) => {
      const run = runOf(blockNamed(name));
      if (run.redis === true && redisServer.skip) skip();
      const running = start(name, await run.env?.());
      if (run.drive !== undefined) await run.drive(running, start);
      else expect({ code: await running.exited(), output: running.output }).toMatchObject({ code: 0 });
    },
  );

  it('answers the curl lines under the first example', async () => {
    const url = await start('first').url();
    const lines = blockNamed('first-curl').code.split('\n');
    expect(lines).toHaveLength(2);
    const requests = lines.map((line) => {
      const [, method = 'GET', pathname = ''] =
        /^curl (?:-N|-X (\w+)) http:\/\/localhost:3000(\/\w+) +#/.exec(line) ?? [];
      return { method, pathname };
    });
    const [stream, hello] = requests;
    const client = await openStream(`${url}${stream?.pathname}`, { method: stream?.method ?? '' });
    const answer = await openStream(`${url}${hello?.pathname}`, { method: hello?.method ?? '' });
    expect(answer.status).toBe(200);
    await answer.over;
    await client.event('greeting');
  });
});

it('is right about types in each of its programs', () => {
  // JavaScript is checked too, as far as its types can be told.
  const files = new Map(
    programs.map((each) => [
      path.join(ROOT, `test/docs/block-${each.name}.${{ js: 'mjs', ts: 'mts' }[each.lang] ?? each.lang}`),
      wholeProgram(each),
    ]),
  );
  const options: ts.CompilerOptions = {
    target: ts.ScriptTarget.ES2022,
    lib: ['lib.es2022.d.ts', 'lib.es2024.string.d.ts', 'lib.dom.d.ts', 'lib.dom.iterable.d.ts'],
    module: ts.ModuleKind.ESNext,
    moduleResolution: ts.ModuleResolutionKind.Bundler,
    paths: {
      ssekify: [path.join(ROOT, 'src/index.ts')],
      'ssekify/egg': [path.join(ROOT, 'src/egg/index.ts')],
      'ssekify/prometheus': [path.join(ROOT, 'src/prometheus/index.ts')],
    },
    types: ['node'],
    typeRoots: [path.join(ROOT, 'node_modules/@types')],
    strict: true,
    noImplicitAny: false,
    exactOptionalPropertyTypes: true,
    allowJs: true,
    checkJs: true,
    experimentalDecorators: true,
    esModuleInterop: true,
    skipLibCheck: true,
    noEmit: true,
  };
  const host = ts.createCompilerHost(options);
  const { fileExists, readFile, getSourceFile } = host;
  host.fileExists = (file) => files.has(file) || fileExists(file);
  host.readFile = (file) => files.get(file) ?? readFile(file);
  host.getSourceFile = (file, target, ...rest) => {
    const text = files.get(file);
    return text === undefined ? getSourceFile(file, target, ...rest) : ts.createSourceFile(file, text, target, true);
  };
  const program = ts.createProgram([...files.keys()], options, host);
  const messages = [...files.keys()].flatMap((file) => {
    const source = program.getSourceFile(file);
    if (source === undefined) return [`${file} is not in the program`];
    return ts
      .getPreEmitDiagnostics(program, source)
      .map(({ messageText }) => `${path.basename(file)}: ${ts.flattenDiagnosticMessageText(messageText, '\n')}`);
  });
  expect(messages).toEqual([]);
}, 60_000);
