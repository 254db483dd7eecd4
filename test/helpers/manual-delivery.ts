import { createParser } from 'eventsource-parser';
import { Chunk } from '../../src/delivery/chunk.js';
import { Clock } from '../../src/delivery/clock.js';
import { Delivery } from '../../src/delivery/delivery.js';
import { type Flushable, Flusher } from '../../src/delivery/flusher.js';
import type { Sink } from '../../src/delivery/sinks/sink.js';
import { Reporter } from '../../src/events.js';
import type { Counters } from '../../src/stats.js';
import { encodeComment } from '../../src/wire/frame.js';
import { parseStreamId, type StreamId } from '../../src/wire/stream-id.js';

/** What a client saw, in order. */
export type Item =
  | { kind: 'event'; of: StreamId; hasId: boolean }
  | { kind: 'cursor'; of: StreamId; hasId: true }
  | { kind: 'gap'; reason: string; lastEventId: string };

function idIn(text: string | undefined): StreamId {
  const id = parseStreamId(text ?? '');
  if (id === undefined) throw new Error(`no id: ${text}`);
  return id;
}

/** Takes what is written and reads it as a client does; `takes` decides what a write is answered. */
export class ReadingSink implements Sink {
  readonly kind = 'response';
  readonly items: Item[] = [];
  lastId: string;
  takes = true;
  /** A write was answered `false`, and the drain is due. */
  stalled = false;
  ended = false;
  readonly #parser = createParser({
    onEvent: ({ id, event, data }) => {
      if (id !== undefined) this.lastId = id;
      if (event === 'server:gap') this.items.push({ kind: 'gap', ...JSON.parse(data) });
      else if (event === 'server:cursor') this.items.push({ kind: 'cursor', of: idIn(id), hasId: true });
      else if (event !== 'live') this.items.push({ kind: 'event', of: idIn(data), hasId: id !== undefined });
    },
  });

  constructor(lastId: string) {
    this.lastId = lastId;
  }
  write(chunk: Chunk): boolean {
    return this.writeBytes(chunk.bytes);
  }
  writeBytes(bytes: Buffer): boolean {
    this.#parser.feed(bytes.toString());
    this.stalled ||= !this.takes;
    return this.takes;
  }
  end(): void {
    this.ended = true;
  }
  destroy(): void {}
  progress(): string {
    return '';
  }
  detach(): void {}
}

/** Flushes when the test says so. */
class ManualFlusher extends Flusher {
  #marked = new Set<Flushable>();
  override mark(who: Flushable): void {
    this.#marked.add(who);
  }
  /** @returns whether there was anything to do */
  flush(): boolean {
    const marked = this.#marked;
    this.#marked = new Set();
    for (const who of marked) who.flush((frames) => new Chunk(frames));
    return marked.size > 0;
  }
}

/** Delivery whose connections get something when the test says so. */
export class ManualDelivery extends Delivery {
  override readonly flusher = new ManualFlusher();
}

/** What delivery is given where nobody listens and nothing is configured. */
export const quietParts = (counters: Counters) => ({
  clock: new Clock(),
  counters,
  reporter: new Reporter({ hub: {}, emit: () => undefined, listens: () => false }, counters),
  gapEvent: 'server:gap',
  instanceId: 'test',
  heartbeat: () => encodeComment('ping'),
  roomSettings: () => ({ historySize: undefined, emptyTimeoutMs: undefined }),
  left: () => undefined,
});

/** Of a connection that is left alone but for a short queue. */
export const QUIET = {
  keepAliveMs: 0,
  keepAliveEvent: undefined,
  retryMs: 0,
  maxQueueItems: 3,
  maxQueueBytes: 1000,
  maxLifetimeMs: undefined,
  stallTimeoutMs: 0,
};
