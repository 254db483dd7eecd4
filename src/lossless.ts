import { EnvelopeReader, type Received } from './cluster/envelope.js';
import type { LogEntry } from './cluster/log/entry.js';
import { LogBus, type LogBusHost } from './cluster/log/log-bus.js';
import { LogPublisher } from './cluster/log/log-publisher.js';
import type { LogStats } from './cluster/log/log-stats.js';
import type { Page } from './cluster/log/pages.js';
import type { LogSource } from './cluster/log/redis-stream.js';
import type { Delivery } from './delivery/delivery.js';
import { LogFeed, type LogPage, type LogPageEntry } from './delivery/log/feed.js';
import { SSEKifyError } from './errors.js';
import { nextTurn } from './event-loop.js';
import type { HubSettings } from './options.js';
import type { Stamper } from './stamp/stamper.js';
import type { Counters } from './stats.js';
import { encodeEvent } from './wire/frame.js';
import { compareStreamIds, type StreamId } from './wire/stream-id.js';

/** What lossless mode needs of its hub. */
export interface LosslessParts {
  source: LogSource;
  settings: Pick<HubSettings, 'channel' | 'maxPayloadBytes' | 'seq'>;
  instanceId: string;
  counters: Counters;
  stamper: Stamper;
  delivery: Delivery;
  /** Something was published, and came by way of the log, in this message. */
  take(received: Received, message: string): void;
  error(error: SSEKifyError): void;
}

const SLICE_MS = 6;

/** Joins the log to what delivers from it. */
export class Lossless implements LogBusHost {
  readonly feed: LogFeed;
  readonly bus: LogBus;
  readonly publisher: LogPublisher;
  readonly #parts: LosslessParts;
  readonly #reader: EnvelopeReader;

  constructor(parts: LosslessParts) {
    const { source, settings, instanceId, counters, stamper, delivery } = parts;
    const { seq } = settings;
    if (seq.redis !== undefined && seq.redis !== null) {
      const message =
        'options.seq.redis is a store of its own: in lossless mode numbers are taken as events are appended.';
      throw new SSEKifyError('INVALID_OPTION', message);
    }
    this.#parts = parts;
    this.#reader = new EnvelopeReader(settings.maxPayloadBytes);
    const { windowMs, ringMaxBytes } = source.settings;
    this.feed = new LogFeed({
      windowMs,
      ringMaxBytes,
      counters,
      delivery,
      read: (position) => this.bus.pages.from(position),
      asked: () => this.bus.asked,
      tickSeq: () => this.bus.tickSeq,
    });
    this.bus = new LogBus(source, settings.channel, delivery.clock, this);
    const memoryOnly = seq.redis === null;
    this.publisher = new LogPublisher({ bus: this.bus, stamper, counters, instanceId, numbers: seq, memoryOnly });
  }

  stats(): LogStats {
    const { counters } = this.#parts;
    const { resumesFromMemory, resumesFromRedis, leftBehind } = counters;
    const { items, bytes } = this.feed.size;
    const { lagMs, entriesRead } = this.bus;
    return { lagMs, entriesRead, ringItems: items, ringBytes: bytes, resumesFromMemory, resumesFromRedis, leftBehind };
  }

  began(end: StreamId): void {
    this.feed.began(end);
  }

  async read(entries: readonly LogEntry[], lost: boolean): Promise<void> {
    const { feed } = this;
    const [first] = entries;
    if (lost && first !== undefined) feed.lose(first.id);
    let deadline = performance.now() + SLICE_MS;
    for (const entry of entries) {
      this.#take(entry);
      if (performance.now() < deadline) continue;
      await nextTurn();
      deadline = performance.now() + SLICE_MS;
    }
    feed.wakeWaiting();
  }

  caughtUp(): void {
    this.feed.caughtUp();
  }

  ended(end: StreamId, asked: number): void {
    this.feed.ended(end, asked);
  }

  error(error: SSEKifyError): void {
    this.#parts.error(error);
  }

  page({ entries, first }: Page): LogPage {
    const { durable } = this.#parts.source.settings;
    const { last } = this.feed.ring;
    // Of what the tail has yet to come to it is not known whether a replica has it.
    const kept = entries.filter(({ id }) => !durable || compareStreamIds(id, last.id) <= 0);
    return { entries: kept.map((entry) => this.#pageEntry(entry)), first };
  }

  #take(entry: LogEntry): void {
    const { feed } = this;
    const { id, kind } = entry;
    if (kind === 'mark') {
      feed.mark(id);
      return;
    }
    const received = this.#decode(entry);
    if (entry.prev !== undefined) feed.ring.emptyBetween(entry.prev, id);
    if (received === undefined || 'command' in received) feed.pass(entry);
    if (received === undefined) return;
    if (!feed.isOld(id)) this.#parts.take(received, String(entry.message));
    else if ('event' in received)
      feed.record(received.scope, encodeEvent(received.event, this.#parts.delivery.nextOrder()));
  }

  /** What was published, if it was and can be read. An event's id is its place in the log, whatever its envelope says. */
  #decode(entry: LogEntry, tells = true): Received | undefined {
    if (entry.kind !== 'event') return undefined;
    try {
      const received = this.#reader.read(entry.message);
      if ('event' in received) received.event.id = entry.name;
      return received;
    } catch (error) {
      if (!tells) return undefined;
      this.bus.invalid();
      const refusal = error instanceof SSEKifyError ? error : new SSEKifyError('INVALID_ENVELOPE', String(error));
      this.#parts.error(refusal);
      return undefined;
    }
  }

  #pageEntry(entry: LogEntry): LogPageEntry {
    const { id, kind, since, prev } = entry;
    if (kind === 'mark') return { id, kind };
    // What is wrong with it was told when it came.
    const received = this.#decode(entry, false);
    if (received === undefined || 'command' in received) return { id, kind: 'other', since, prev };
    return { id, kind: 'event', scope: received.scope, frame: encodeEvent(received.event, 0) };
  }
}
