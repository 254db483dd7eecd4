import { type ChildProcess, spawn } from 'node:child_process';
import { once } from 'node:events';
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import net from 'node:net';
import { tmpdir } from 'node:os';
import path from 'node:path';
import ts from 'typescript';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { atEnd } from '../helpers/cleanup.js';
import { openStream } from '../helpers/client.js';
import { program } from '../helpers/programs.js';
import { serveHub } from '../helpers/server.js';
import { type Block, ROOT, readDocument } from './markdown.js';
import type { Run } from './runs/context.js';
import { RUNS } from './runs.js';
import { type Program, Sandbox } from './sandbox.js';

const readme = readDocument('README.md');

/** Blocks that are not programs, and how each is checked. */
const OTHERS: Readonly<Record<string, string>> = {
  'first-curl': 'each request is made of the first example',
  clone: 'each npm script exists',
  install: 'it names this package',
  nginx: 'nginx serves a stream with it, where nginx is installed',
  caddy: 'not executed',
};

const PROGRAMS = ['js', 'mjs', 'cjs', 'ts'];
const programs = readme.blocks.filter(({ lang }) => PROGRAMS.includes(lang));
const others = readme.blocks.filter(({ lang }) => !PROGRAMS.includes(lang));

function block(name: string): Block {
  const found = readme.blocks.find((each) => each.name === name);
  if (found === undefined) throw new Error(`the README has no block ${name}`);
  return found;
}

const runOf = ({ name, line }: Block): Run => {
  const run = RUNS[name ?? ''];
  if (run === undefined) throw new Error(`the block at line ${line} has no name with a run`);
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

describe('each program of the README runs', () => {
  let sandbox: Sandbox;
  beforeAll(() => {
    sandbox = new Sandbox();
  });
  afterAll(() => sandbox.remove());

  const start = (name: string, env?: Record<string, string>): Program =>
    sandbox.start(wholeProgram(block(name)), block(name).lang, env);

  it.each(programs.map(({ name = '', line }) => ({ name, line })))('$name, line $line', async ({ name }) => {
    const run = runOf(block(name));
    const running = start(name, await run.env?.());
    if (run.drive !== undefined) await run.drive(running, start);
    else expect({ code: await running.exited(), output: running.output }).toMatchObject({ code: 0 });
  });

  it('answers the curl lines under the first example', async () => {
    const url = await start('first').url();
    const lines = block('first-curl').code.split('\n');
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
    paths: { ssekify: [path.join(ROOT, 'src/index.ts')] },
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

describe('commands of the README', () => {
  const { name, scripts } = JSON.parse(readFileSync(`${ROOT}package.json`, 'utf8')) as {
    name: string;
    scripts: Record<string, string>;
  };

  it('begins with the two lines for a fresh clone, and their scripts exist', () => {
    const lines = block('clone').code.split('\n');
    expect(lines).toEqual(['npm ci && npm run demo', 'npm ci && npm test']);
    expect(Object.keys(scripts)).toEqual(expect.arrayContaining(['demo', 'test']));
    expect(block('clone').line).toBeLessThan(40);
  });

  it('installs this package', () => {
    expect(block('install').code).toBe(`npm install ${name}`);
  });
});

const nginx = program('nginx');

describe.skipIf(nginx.skip)('nginx as the README configures it', () => {
  it('lets events through at once', async () => {
    const { sse, port, handle } = await serveHub();
    const proxyPort = await freePort();
    const dir = mkdtempSync(path.join(tmpdir(), 'ssekify-nginx-'));
    const location = block('nginx').code.replace('127.0.0.1:3000', `127.0.0.1:${port}`);
    expect(location).not.toContain(':3000');
    const temporary = ['client_body', 'proxy', 'fastcgi', 'uwsgi', 'scgi']
      .map((each) => `${each}_temp_path ${dir}/${each};`)
      .join('\n');
    writeFileSync(
      path.join(dir, 'nginx.conf'),
      `daemon off;\nmaster_process off;\npid ${dir}/pid;\nerror_log ${dir}/error.log;\nevents {}\nhttp {\n${temporary}
access_log off;\nserver {\nlisten 127.0.0.1:${proxyPort};\n${location}\n}\n}\n`,
    );
    const child = spawn(nginx.path, ['-e', `${dir}/error.log`, '-p', dir, '-c', 'nginx.conf'], { stdio: 'ignore' });
    atEnd(async () => {
      await end(child);
      rmSync(dir, { recursive: true, force: true });
    });
    await listening(proxyPort, child);
    const client = await openStream(`http://127.0.0.1:${proxyPort}/sse`);
    await handle(0);
    sse.sendToAll('through');
    expect((await client.received(1))[0]?.data).toBe('"through"');
  });
});

async function freePort(): Promise<number> {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address() as net.AddressInfo;
  server.close();
  await once(server, 'close');
  return port;
}

/** Resolves when somebody listens on the port; a server says in no other way that it is up. */
async function listening(port: number, child: ChildProcess): Promise<void> {
  for (;;) {
    if (child.exitCode !== null) throw new Error(`it ended with code ${child.exitCode}`);
    const socket = net.connect(port, '127.0.0.1');
    const up = await new Promise<boolean>((resolve) => {
      socket.once('connect', () => resolve(true)).once('error', () => resolve(false));
    });
    socket.destroy();
    if (up) return;
  }
}

async function end(child: ChildProcess): Promise<void> {
  if (child.exitCode !== null || child.signalCode !== null) return;
  child.kill('SIGKILL');
  await once(child, 'close');
}
