import type { SSEKifyOptions } from '../../../src/index.js';
import { atEnd } from '../cleanup.js';
import { AnsweringProcess } from './child-process.js';
import type { AdapterSettings, Report } from './instance.js';

export type Scope = { kind: 'all' } | { kind: 'user' | 'room'; target: string };

/** One event, from its first attempt on. `p` is its publisher, `n` its number there. */
export interface Publication {
  p: number;
  n: number;
  scope: Scope;
  /** Epoch milliseconds. */
  calledAt: number;
  /** Absent while nobody has said that the event was taken. */
  acknowledgedAt?: number;
  /** The frame id the publisher was told. */
  id?: string;
  attempts: number;
}

export interface PublisherSettings {
  adapter: AdapterSettings;
  hub: SSEKifyOptions;
  index: number;
  users: readonly string[];
  rooms: readonly string[];
}

/** How long a publisher goes on retrying once it has been told to rest. */
const PATIENCE_MS = 20_000;

/** A service that only publishes, and keeps the list of what was acknowledged. */
export class Publisher {
  readonly #process: AnsweringProcess;

  constructor(settings: PublisherSettings) {
    this.#process = new AnsweringProcess('publisher', settings);
    atEnd(() => this.#process.signal('SIGKILL'));
  }

  async ready(): Promise<void> {
    await this.#process.ask('ready');
  }

  /** Publishes so many events a second from now on: to users mostly, to rooms, and to everyone. */
  async pace(perSecond: number): Promise<void> {
    await this.#process.ask('pace', { perSecond });
  }

  /** Publishes to one scope at once; resolves when all is acknowledged. */
  burst(scope: Scope, count: number, padBytes = 0): Promise<Publication[]> {
    return this.#process.ask<Publication[]>('burst', { scope, count, padBytes });
  }

  /** Publishes no more; resolves once everything is acknowledged, or patience is at its end. */
  async rest(): Promise<void> {
    await this.#process.ask('rest', { patienceMs: PATIENCE_MS });
  }

  /** What it published since the last time it was asked. */
  publications(): Promise<Publication[]> {
    return this.#process.ask<Publication[]>('publications');
  }

  /** How many of its events were acknowledged so far. */
  acknowledged(): Promise<number> {
    return this.#process.ask<number>('acknowledged');
  }

  report(): Promise<Report> {
    return this.#process.ask<Report>('report');
  }

  get crashed(): boolean {
    return this.#process.crashed;
  }
}
