import { type ChildProcess, fork } from 'node:child_process';
import { once } from 'node:events';
import path from 'node:path';

const PROGRAMS = path.resolve('test/helpers/chaos/programs');
/** An answer that takes this long will not come; a process that is stopped for a while has to be allowed for. */
const ANSWER_TIMEOUT_MS = 60_000;

interface Reply {
  id: number;
  result?: string;
  error?: string;
}

interface Question {
  resolve(result: string): void;
  reject(error: Error): void;
}

export interface ChildOptions {
  /** Files that node loads before the program. */
  preload?: readonly string[];
}

/** A program of the tests in a process of its own, which answers questions; whoever starts it ends it. */
export class AnsweringProcess {
  readonly #name: string;
  readonly #child: ChildProcess;
  readonly #questions = new Map<number, Question>();
  /** Whether the test itself ended it. */
  #ending = false;
  #asked = 0;
  #complaints = '';

  constructor(name: string, settings: unknown, { preload = [] }: ChildOptions = {}) {
    this.#name = name;
    this.#child = fork(path.join(PROGRAMS, `${name}.js`), [JSON.stringify(settings)], {
      execArgv: preload.flatMap((file) => ['--require', path.join(PROGRAMS, file)]),
      stdio: ['ignore', 'ignore', 'pipe', 'ipc'],
    });
    this.#child.stderr?.setEncoding('utf8').on('data', (text: string) => {
      this.#complaints += text;
    });
    this.#child.on('message', (reply: Reply) => this.#settle(reply));
    this.#child.on('exit', (code, signal) => {
      const error = new Error(`${name} ended with ${code ?? signal}:\n${this.#complaints}`);
      for (const { reject } of this.#questions.values()) reject(error);
      this.#questions.clear();
    });
  }

  /** What it wrote on its standard error. */
  get complaints(): string {
    return this.#complaints;
  }

  /** Whether it ended and no test asked for that. */
  get crashed(): boolean {
    return this.ended && !this.#ending;
  }

  get ended(): boolean {
    return this.#child.exitCode !== null || this.#child.signalCode !== null;
  }

  /** Asks, and resolves with the answer. */
  async ask<Answer = unknown>(question: string, argument: unknown = {}): Promise<Answer> {
    if (this.ended) throw new Error(`${this.#name} has ended:\n${this.#complaints}`);
    this.#asked += 1;
    const id = this.#asked;
    const late = setTimeout(() => {
      this.#questions.get(id)?.reject(new Error(`${this.#name} does not answer ${question}`));
    }, ANSWER_TIMEOUT_MS);
    try {
      const answered = new Promise<string>((resolve, reject) => this.#questions.set(id, { resolve, reject }));
      this.#child.send({ id, question, argument });
      return JSON.parse(await answered);
    } finally {
      clearTimeout(late);
      this.#questions.delete(id);
    }
  }

  /** Sends a signal that ends it, and resolves with how it ended. */
  async signal(signal: 'SIGKILL' | 'SIGTERM'): Promise<{ code: number | null; signal: NodeJS.Signals | null }> {
    this.#ending = true;
    if (!this.ended) {
      const exited = once(this.#child, 'exit');
      this.#child.kill(signal);
      await exited;
    }
    return { code: this.#child.exitCode, signal: this.#child.signalCode };
  }

  /** Stops it as a debugger, or a machine that is moved, does. */
  freeze(): void {
    this.#child.kill('SIGSTOP');
  }

  /** Lets it go on. */
  thaw(): void {
    this.#child.kill('SIGCONT');
  }

  #settle({ id, result, error }: Reply): void {
    const question = this.#questions.get(id);
    if (error !== undefined) question?.reject(new Error(`${this.#name}: ${error}`));
    else if (result !== undefined) question?.resolve(result);
  }
}
