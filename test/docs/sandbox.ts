/** Runs code blocks as programs of their own, for which `ssekify` is the package as it was built. */
import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import { existsSync, mkdirSync, mkdtempSync, rmSync, symlinkSync, writeFileSync } from 'node:fs';
import path from 'node:path';
import ts from 'typescript';
import { atEnd } from '../helpers/cleanup.js';
import { ROOT } from './markdown.js';

const TRANSPILE: ts.CompilerOptions = {
  target: ts.ScriptTarget.ES2022,
  module: ts.ModuleKind.ESNext,
  experimentalDecorators: true,
};

/**
 * Gives a program any free port for the one that the documentation names, and tells the test which; and lets it find servers
 * at the ports that PORTS has for those of the documentation.
 */
const PRELOAD = `
const net = require('node:net');
const { listen } = net.Server.prototype;
net.Server.prototype.listen = function (port, ...rest) {
  this.once('listening', () => process.send({ port: this.address().port }));
  return listen.call(this, typeof port === 'number' ? 0 : port, ...rest);
};
const ports = JSON.parse(process.env.PORTS ?? '{}');
const { connect } = net.Socket.prototype;
net.Socket.prototype.connect = function (...args) {
  const options = Array.isArray(args[0]) ? args[0][0] : args[0];
  if (options?.port in ports) Object.assign(options, { host: '127.0.0.1', port: ports[options.port] });
  return connect.apply(this, args);
};
`;

export interface Program {
  /** What it got as environment. */
  readonly env: Record<string, string>;
  /** Where its server listens; waits until it does. */
  url(): Promise<string>;
  /** All that it printed so far. */
  readonly output: string;
  /** Resolves when it printed this. */
  printed(text: string): Promise<void>;
  /** Resolves with its exit code when it ends. */
  exited(): Promise<number | null>;
  signal(name: NodeJS.Signals): void;
}

export class Sandbox {
  readonly #dir: string;
  #programs = 0;

  /** Lies inside the project, so that its development dependencies are found. */
  constructor() {
    const cache = path.join(ROOT, 'node_modules/.cache');
    mkdirSync(cache, { recursive: true });
    this.#dir = mkdtempSync(path.join(cache, 'ssekify-docs-'));
    if (!existsSync(path.join(ROOT, 'dist/index.js'))) throw new Error('the package is not built: npm run build');
    mkdirSync(path.join(this.#dir, 'node_modules'));
    symlinkSync(ROOT, path.join(this.#dir, 'node_modules/ssekify'), 'dir');
    writeFileSync(path.join(this.#dir, 'preload.cjs'), PRELOAD);
  }

  remove(): void {
    rmSync(this.#dir, { recursive: true, force: true });
  }

  /** Starts a program; it is ended with the test. */
  start(code: string, lang: string, env: Record<string, string> = {}): Program {
    this.#programs += 1;
    const file = path.join(this.#dir, `block-${this.#programs}.${lang === 'cjs' ? 'cjs' : 'mjs'}`);
    writeFileSync(file, lang === 'ts' ? transpile(code) : code);
    const child = fork(file, {
      execArgv: ['--require', path.join(this.#dir, 'preload.cjs')],
      env: { ...process.env, ...env },
      stdio: ['ignore', 'pipe', 'pipe', 'ipc'],
    });
    return follow(child, env);
  }
}

function transpile(code: string): string {
  return ts.transpileModule(code, { compilerOptions: TRANSPILE }).outputText;
}

function follow(child: ChildProcess, env: Record<string, string>): Program {
  let output = '';
  let port: number | undefined;
  let over = false;
  const looks: (() => void)[] = [];
  const look = () => {
    for (const each of looks.splice(0)) each();
  };
  for (const stream of [child.stdout, child.stderr]) {
    stream?.setEncoding('utf8').on('data', (text: string) => {
      output += text;
      look();
    });
  }
  child.on('message', (message: { port: number }) => {
    port = message.port;
    look();
  });
  const exit = once(child, 'close').then(([code]) => {
    over = true;
    look();
    return code as number | null;
  });
  atEnd(() => {
    child.kill('SIGKILL');
    return exit;
  });
  const until = async (what: string, condition: () => boolean) => {
    while (!condition()) {
      if (over) throw new Error(`the program ended before ${what}; it printed:\n${output}`);
      await new Promise<void>((resolve) => looks.push(resolve));
    }
  };
  return {
    env,
    get output() {
      return output;
    },
    async url() {
      await until('it listened', () => port !== undefined);
      return `http://127.0.0.1:${port}`;
    },
    printed: (text) => until(`it printed ${JSON.stringify(text)}`, () => output.includes(text)),
    exited: () => exit,
    signal: (name) => {
      child.kill(name);
    },
  };
}
