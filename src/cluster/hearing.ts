import { SSEKifyError } from '../errors.js';
import { attempt } from '../settling.js';
import type { BusParts } from './bus-host.js';
import type { BusStats } from './bus-stats.js';
import { literal, standsAt } from './bytes.js';
import { EnvelopeReader, type Received } from './envelope.js';
import type { Recent } from './recent.js';
import { RedisAdapter } from './redis-adapter.js';
import type { RedisLike } from './redis-like.js';
import type { UnderWay } from './under-way.js';

const NUMBER_AT = '{"v":1,"n":"'.length;

/** What hearing has to work with, beside the parts of its bus. */
export interface HearingParts {
  recent: Recent;
  underWay: UnderWay;
  counters: Pick<BusStats, 'received' | 'invalid'>;
  /** An envelope was received, in this message. */
  receive(received: Received, message: string): void;
}

/** Hears the channel: makes envelopes of its messages, and no more than is needed of those that nobody here waits for. */
export class Hearing {
  readonly #bus: BusParts;
  readonly #parts: HearingParts;
  readonly #reader: EnvelopeReader;
  /** What messages of this instance's own publishes begin with. */
  readonly #ownBeginning: Uint8Array;
  readonly #onMessage = (channel: unknown, message: unknown) => this.#hearMessage(channel, message);
  #offBytes: (() => void) | undefined;
  #ended = false;

  constructor(bus: BusParts, parts: HearingParts) {
    this.#bus = bus;
    this.#parts = parts;
    this.#reader = new EnvelopeReader(bus.maxPayloadBytes, bus.numberField);
    this.#ownBeginning = literal(`{"v":1,"n":"${bus.instanceId}-`);
  }

  /** @returns what the adapter gave */
  begin(): unknown {
    const { adapter } = this.#bus;
    if (!givesBytes(adapter)) return adapter.on('message', this.#onMessage);
    this.#offBytes = adapter.onBytes((...message) => this.#hearBytes(...message));
    return undefined;
  }

  /** An adapter may outlive the hub, which it must not keep. */
  end(): Promise<unknown> {
    this.#ended = true;
    this.#offBytes?.();
    return attempt(() => this.#bus.adapter.off?.('message', this.#onMessage));
  }

  #hearMessage(channel: unknown, given: unknown): void {
    if (!this.#isMine(textOf(channel))) return;
    const message = textOf(given);
    const bytes = this.#read(() => this.#reader.bytesOf(message));
    if (bytes !== undefined && !this.#keep(bytes, 0, bytes.length)) this.#hear(bytes, 0, bytes.length, String(message));
  }

  #hearBytes(channel: string, bytes: Buffer, from: number, to: number): void {
    if (!this.#isMine(channel) || this.#keep(bytes, from, to)) return;
    this.#hear(bytes, from, to, bytes.toString('utf8', from, to));
  }

  #isMine(channel: unknown): boolean {
    if (this.#ended || channel !== this.#bus.channel) return false;
    this.#parts.counters.received += 1;
    return true;
  }

  /** Whether it may be the echo of a publish that is under way. */
  #isOwn(bytes: Buffer, from: number): boolean {
    return this.#parts.underWay.size > 0 && standsAt(bytes, from, this.#ownBeginning);
  }

  /** Keeps an event that nobody here waits for as the bytes it came in. @returns whether it did */
  #keep(bytes: Buffer, from: number, to: number): boolean {
    if (this.#isOwn(bytes, from)) return false;
    const { host } = this.#bus;
    const scope = this.#reader.target(bytes, from, to);
    if (scope === undefined || !host.keepsBytes(scope)) return false;
    const source = this.#reader.keepable();
    if (source === undefined || !this.#parts.recent.addNew(scope, source.id)) return false;
    host.keep(scope, source);
    return true;
  }

  #hear(bytes: Buffer, from: number, to: number, message: string): void {
    const n = this.#isOwn(bytes, from) ? message.slice(NUMBER_AT, message.indexOf('"', NUMBER_AT)) : undefined;
    const received =
      (n === undefined ? undefined : this.#ownEcho(n, message)) ??
      this.#read(() => this.#reader.readAt(bytes, from, to, message));
    if (received === undefined) return;
    received.n ??= n;
    this.#parts.receive(received, message);
  }

  /** The event of an own publish when a message is just what was sent, which then need not be read. */
  #ownEcho(n: string, message: string): Received | undefined {
    const { scope, echoOf } = this.#parts.underWay.get(n)?.outgoing ?? {};
    const echo = scope === undefined ? undefined : echoOf?.(message);
    return scope === undefined || echo === undefined ? undefined : { n, scope, ...echo };
  }

  #read<Value>(read: () => Value): Value | undefined {
    try {
      return read();
    } catch (error) {
      this.#parts.counters.invalid += 1;
      this.#bus.host.error(
        error instanceof SSEKifyError ? error : new SSEKifyError('INVALID_ENVELOPE', String(error), { cause: error }),
      );
      return undefined;
    }
  }
}

/** Clients give Buffers where they are told to, or always. */
const textOf = (given: unknown) => (Buffer.isBuffer(given) ? given.toString() : given);

/** Whether messages can be had as bytes: not where somebody has put a listener of their own before the hub's. */
const givesBytes = (adapter: RedisLike): adapter is RedisAdapter =>
  adapter instanceof RedisAdapter && adapter.on === RedisAdapter.prototype.on;
