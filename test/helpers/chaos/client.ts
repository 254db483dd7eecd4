import http from 'node:http';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import type { Gap } from '../../../src/index.js';

/** An event of a publisher as a client heard it. */
export interface Delivery {
  /** Its publisher, and its number there. */
  p: number;
  n: number;
  id: string | undefined;
  /** Its number among the events of its room. */
  seq?: number;
  /** Milliseconds from the publisher's attempt until now. */
  latencyMs: number;
  /** Epoch milliseconds. */
  at: number;
}

/** An id that came without an event of a publisher, and how many deliveries the client had had before it. */
export interface Position {
  id: string;
  after: number;
}

/** A gap event, and how many deliveries the client had had before it. */
export interface HeardGap extends Gap {
  after: number;
}

/** What an EventSource is told to hear, and how it behaves. */
export interface ClientOptions {
  user: string;
  rooms: readonly string[];
  /** Ports of the instances. On every lost connection the client goes to the next one, as behind a load balancer. */
  ports: readonly number[];
  /** Which of them is the first. */
  first: number;
  /** The id it resumes after at its very first request. */
  lastEventId?: string;
  /** Reads no faster than this, until it is told to hurry. */
  bytesPerSecond?: number;
}

/** How long an EventSource waits before it reconnects, until a `retry:` tells it otherwise. */
const DEFAULT_RETRY_MS = 100;

/**
 * A client that does what a browser's EventSource does, over nothing but `http` and a parser that is not ours: it carries
 * the last id, waits as `retry:` says, and never asks the application for what it missed.
 */
export class ChaosClient {
  readonly options: ClientOptions;
  readonly deliveries: Delivery[] = [];
  readonly #heard = new Set<string>();
  readonly gaps: HeardGap[] = [];
  readonly cursors: Position[] = [];
  /** What a browser would have given up at. */
  readonly problems: string[] = [];
  /** Milliseconds from each loss of a connection until the next one stood. */
  readonly reconnectsMs: number[] = [];
  lastEventId: string;
  /** The first position it had. */
  beganAt: string | undefined;
  #turn: number;
  #retryMs = DEFAULT_RETRY_MS;
  #request: http.ClientRequest | undefined;
  #retry: NodeJS.Timeout | undefined;
  #lostAt: number | undefined;
  #connected = false;
  #closed = false;
  #bytesPerSecond: number;
  /** Lets a stream flow that was read bit by bit. */
  #flow = () => {};
  readonly #looks = new Set<() => void>();

  constructor(options: ClientOptions) {
    this.options = options;
    this.lastEventId = options.lastEventId ?? '';
    this.beganAt = options.lastEventId;
    this.#turn = options.first;
    this.#bytesPerSecond = options.bytesPerSecond ?? Number.POSITIVE_INFINITY;
  }

  /** Whether a stream is open now. */
  get connected(): boolean {
    return this.#connected;
  }

  /** How often it has connected again. */
  get reconnects(): number {
    return this.reconnectsMs.length;
  }

  hasHeard({ p, n }: { p: number; n: number }): boolean {
    return this.#heard.has(`${p}:${n}`);
  }

  open(): void {
    const { user, rooms, ports } = this.options;
    const query = new URLSearchParams({ user });
    for (const room of rooms) query.append('room', room);
    const request = http.get({
      host: '127.0.0.1',
      port: ports[this.#turn % ports.length],
      path: `/?${query}`,
      headers: this.lastEventId === '' ? {} : { 'Last-Event-ID': this.lastEventId },
      agent: false,
    });
    this.#request = request;
    let lost = false;
    const lose = () => {
      if (lost || this.#request !== request) return;
      lost = true;
      this.#lose();
    };
    request.on('error', lose);
    request.on('response', (response) => this.#read(request, response, lose));
  }

  /** Drops the connection, as a network does, and connects to the next instance after the usual delay. */
  drop(): void {
    if (!this.#connected) return;
    const request = this.#request;
    this.#lose();
    request?.destroy();
  }

  /** Reads as fast as others from now on. */
  hurry(): void {
    this.#bytesPerSecond = Number.POSITIVE_INFINITY;
    this.#flow();
  }

  /** Leaves; what it has heard stays. */
  close(): void {
    this.#closed = true;
    this.#connected = false;
    clearTimeout(this.#retry);
    this.#request?.destroy();
  }

  /** Leaves for a while: `open()` brings it back. */
  pause(): void {
    const request = this.#request;
    this.#request = undefined;
    this.#connected = false;
    clearTimeout(this.#retry);
    request?.destroy();
  }

  /** Resolves with whether the condition came to hold within so many milliseconds; looks whenever something happened. */
  until(condition: (client: ChaosClient) => boolean, patienceMs: number): Promise<boolean> {
    return new Promise((resolve) => {
      const settle = (holds: boolean) => {
        clearTimeout(late);
        this.#looks.delete(look);
        resolve(holds);
      };
      const look = () => {
        if (condition(this)) settle(true);
      };
      const late = setTimeout(() => settle(false), patienceMs);
      this.#looks.add(look);
      look();
    });
  }

  #read(request: http.ClientRequest, response: http.IncomingMessage, lose: () => void): void {
    const type = response.headers['content-type'] ?? '';
    if (response.statusCode !== 200 || !type.startsWith('text/event-stream'))
      this.problems.push(`an EventSource gives up at status ${response.statusCode} with ${type}`);
    this.#connected = true;
    if (this.#lostAt !== undefined) this.reconnectsMs.push(performance.now() - this.#lostAt);
    this.#lostAt = undefined;
    const parser = createParser({
      onEvent: (event) => this.#hear(event),
      onRetry: (retryMs) => {
        this.#retryMs = retryMs;
      },
    });
    response.setEncoding('utf8');
    const take = (chunk: string) => {
      // What is left in the pipe of a connection that was dropped is not heard any more.
      if (request !== this.#request || this.#closed) return;
      parser.feed(chunk);
      this.#look();
    };
    if (Number.isFinite(this.#bytesPerSecond)) this.#readSlowly(response, take);
    else response.on('data', take);
    response.on('error', lose);
    response.on('close', lose);
    this.#look();
  }

  #readSlowly(response: http.IncomingMessage, take: (chunk: string) => void): void {
    response.pause();
    const reading = setInterval(() => {
      const chunk = response.read(Math.min(this.#bytesPerSecond, response.readableLength));
      if (chunk !== null) take(chunk);
    }, 1000);
    const stop = () => clearInterval(reading);
    response.on('close', stop);
    this.#flow = () => {
      stop();
      response.on('data', take);
      response.resume();
    };
  }

  #hear({ event, data, id }: EventSourceMessage): void {
    if (id !== undefined) {
      this.lastEventId = id;
      this.beganAt ??= id;
    }
    if (event === 'server:cursor' && id !== undefined) {
      this.cursors.push({ id, after: this.deliveries.length });
    } else if (event === 'server:gap') {
      this.gaps.push({ ...JSON.parse(data), after: this.deliveries.length });
    } else if (event === undefined) {
      const { p, n, at, seq } = JSON.parse(data);
      const now = Date.now();
      this.#heard.add(`${p}:${n}`);
      this.deliveries.push({ p, n, id, seq, at: now, latencyMs: now - at });
    }
  }

  #lose(): void {
    this.#connected = false;
    if (this.#closed) return;
    this.#lostAt ??= performance.now();
    this.#turn += 1;
    this.#request = undefined;
    this.#retry = setTimeout(() => this.open(), this.#retryMs);
    this.#look();
  }

  #look(): void {
    for (const look of [...this.#looks]) look();
  }
}
