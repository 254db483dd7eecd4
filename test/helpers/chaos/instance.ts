import type { SSEKifyOptions, SSEKifyStats } from '../../../src/index.js';
import { atEnd } from '../cleanup.js';
import { AnsweringProcess, type ChildOptions } from './child-process.js';

/** How the processes reach Redis. */
export interface AdapterSettings {
  /** The log of the lossless mode, or the channel of the Pub/Sub mode. */
  mode: 'log' | 'channel';
  target: unknown;
  /** Options of the log. */
  log?: Readonly<Record<string, unknown>>;
}

export interface InstanceSettings extends ChildOptions {
  adapter: AdapterSettings;
  hub: SSEKifyOptions;
  /** How long a SIGTERM lets connections leave. */
  graceMs: number;
}

/** What a process says of itself. */
export interface Report {
  stats: SSEKifyStats;
  errors: Record<string, { count: number; message: string }>;
  gaps: Record<string, number>;
}

/** An instance of a service that holds connections, which may die and come back on the same port. */
export class Instance {
  readonly #settings: InstanceSettings;
  #process: AnsweringProcess | undefined;
  #port = 0;

  constructor(settings: InstanceSettings) {
    this.#settings = settings;
    atEnd(() => this.#process?.signal('SIGKILL'));
  }

  get port(): number {
    return this.#port;
  }

  /** Starts the process, or a new one in place of one that ended. Resolves when it listens, which is before it is ready. */
  async start(overrides: Partial<InstanceSettings> = {}): Promise<void> {
    const { preload = [], ...settings } = { ...this.#settings, ...overrides };
    this.#process = new AnsweringProcess('instance', { ...settings, port: this.#port }, { preload });
    this.#port = await this.#process.ask<number>('listening');
  }

  /** Starts it if it does not run. */
  async revive(): Promise<void> {
    if (this.#running.ended) await this.start();
    else this.thaw();
  }

  async ready(): Promise<void> {
    await this.#running.ask('ready');
  }

  report(): Promise<Report> {
    return this.#running.ask<Report>('report');
  }

  /** Its clock, in epoch milliseconds. */
  now(): Promise<number> {
    return this.#running.ask<number>('now');
  }

  /** Ends it as `kill -9` does. */
  async kill(): Promise<void> {
    await this.#running.signal('SIGKILL');
  }

  /** Ends it with a SIGTERM. @throws when it did not end by itself, and well */
  async terminate(): Promise<void> {
    const { code, signal } = await this.#running.signal('SIGTERM');
    if (code !== 0) throw new Error(`the instance ended with ${code ?? signal}:\n${this.#running.complaints}`);
  }

  freeze(): void {
    this.#running.freeze();
  }

  thaw(): void {
    this.#running.thaw();
  }

  get crashed(): boolean {
    return this.#running.crashed;
  }

  get #running(): AnsweringProcess {
    if (this.#process === undefined) throw new Error('the instance was not started');
    return this.#process;
  }
}
