import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Chunk } from '../../src/delivery/chunk.js';
import { Clock } from '../../src/delivery/clock.js';
import { Connection } from '../../src/delivery/connection.js';
import type { ConnectionHost } from '../../src/delivery/connection-host.js';
import { type Flushable, Flusher } from '../../src/delivery/flusher.js';
import type { Sink } from '../../src/delivery/sinks/sink.js';
import type { ConnectionSettings } from '../../src/options.js';
import type { DropPolicy } from '../../src/types.js';
import { encodeEvent, encodeRetry, type Frame } from '../../src/wire/frame.js';
import { turn } from '../helpers/stall.js';

/** Takes everything, and answers as it is told. */
class FakeSink implements Sink {
  readonly kind = 'response';
  text = '';
  takes = true;
  ended = false;
  destroyed = false;
  readonly writes: { bytes: number; stalled: boolean }[] = [];
  #stalled = false;

  write(chunk: Chunk): boolean {
    return this.writeBytes(chunk.bytes);
  }
  writeBytes(bytes: Buffer): boolean {
    this.writes.push({ bytes: bytes.length, stalled: this.#stalled });
    this.text += bytes.toString();
    this.#stalled ||= !this.takes;
    return this.takes;
  }
  drain(): void {
    this.#stalled = false;
  }
  end(): void {
    this.ended = true;
  }
  destroy(): void {
    this.destroyed = true;
  }
  progress(): string {
    return '';
  }
  detach(): void {}
}

/** Flushes when the test says so. */
class ManualFlusher extends Flusher {
  #marked: Flushable[] = [];
  override mark(who: Flushable): void {
    if (!this.#marked.includes(who)) this.#marked.push(who);
  }
  flush(): void {
    const marked = this.#marked;
    this.#marked = [];
    for (const who of marked) who.flush((frames) => new Chunk(frames));
  }
}

const SETTINGS: ConnectionSettings = {
  keepAliveMs: 0,
  keepAliveEvent: undefined,
  retryMs: 0,
  maxQueueItems: 4,
  maxQueueBytes: 400,
  dropPolicy: 'oldest',
  maxLifetimeMs: undefined,
  stallTimeoutMs: 0,
};

function connect(settings: ConnectionSettings) {
  const sink = new FakeSink();
  const flusher = new ManualFlusher();
  const counts = { oldest: 0, newest: 0, left: 0, gone: 0 };
  const host: ConnectionHost = {
    instanceId: 'test',
    clock: new Clock(),
    flusher,
    dropped: (_connection, oldest, newest) => {
      counts.oldest += oldest;
      counts.newest += newest;
    },
    queued: () => undefined,
    gap: (_connection, lastEventId, reason) =>
      encodeEvent({ event: 'gap', text: JSON.stringify({ lastEventId, reason }) }, 0),
    heartbeat: () => encodeRetry(0),
    draining: false,
    cursorMs: undefined,
    cursor: () => undefined,
    leaveBehind: () => false,
    left: () => {
      counts.left += 1;
    },
    gone: () => {
      counts.gone += 1;
    },
  };
  const connection = new Connection(host, 1, 'ann', settings);
  connection.start(sink, encodeRetry(0));
  return { sink, flusher, counts, connection };
}

const steps = (sizes: fc.Arbitrary<number>) =>
  fc.array(
    fc.oneof(
      { weight: 8, arbitrary: fc.record({ do: fc.constant('send' as const), bytes: sizes }) },
      {
        weight: 3,
        arbitrary: fc.record({ do: fc.constant('replay' as const), count: fc.integer({ min: 1, max: 6 }) }),
      },
      // Mostly behind, since little happens to a client that keeps up.
      { weight: 4, arbitrary: fc.record({ do: fc.constantFrom('stop' as const, 'flush' as const) }) },
      { weight: 2, arbitrary: fc.record({ do: fc.constantFrom('go' as const, 'drain' as const) }) },
    ),
    { maxLength: 60 },
  );

function frameOf(id: number, bytes: number): Frame {
  const bare = encodeEvent({ id: String(id), text: '' }, id).byteLength;
  return encodeEvent({ id: String(id), text: 'x'.repeat(Math.max(0, bytes - bare)) }, id);
}

/** What a client sees: ids, and `-1 - id` for a gap that names the id before it. */
function seen(text: string): number[] {
  return [...text.matchAll(/^id: (\d+)$|^event: gap\ndata: \{"lastEventId":"(\d*)"/gm)].map(([, id, gapAfter]) =>
    id === undefined ? -1 - Number(gapAfter) : Number(id),
  );
}

const GAP = 'gap';
/** One client as the contract describes it; all that waits fits in one write. */
class Model {
  readonly #policy: DropPolicy;
  /** In order; what counts toward the limits may be dropped. */
  #waiting: ({ id: number; bytes: number; counts: boolean } | typeof GAP)[] = [];
  #stalled = false;
  #behind = false;
  takes = true;
  open = true;
  readonly client: number[] = [];
  oldest = 0;
  newest = 0;

  constructor(policy: DropPolicy) {
    this.#policy = policy;
  }

  send(id: number, bytes: number): boolean {
    if (!this.open) return false;
    if (!this.#behind) {
      this.#waiting.push({ id, bytes, counts: false });
      return true;
    }
    if (bytes > SETTINGS.maxQueueBytes) return this.#refuse();
    while (this.#isOver(bytes)) {
      if (this.#policy === 'newest') return this.#refuse();
      if (this.#policy === 'disconnect') {
        this.open = false;
        this.#waiting = [];
        return false;
      }
      const oldest = this.#waiting.findIndex((entry) => entry !== GAP && entry.counts);
      this.#waiting[oldest] = GAP;
      this.#waiting = this.#waiting.filter((entry, at, all) => entry !== GAP || all[at - 1] !== GAP);
      this.oldest += 1;
    }
    this.#waiting.push({ id, bytes, counts: true });
    return true;
  }

  replay(ids: number[]): void {
    if (!this.open) return;
    this.#waiting.push(...ids.map((id) => ({ id, bytes: 0, counts: false })));
  }

  drain(): void {
    this.#stalled = false;
    if (this.#waiting.length === 0) this.#behind = false;
  }

  flush(): void {
    if (this.#stalled) return;
    if (this.#waiting.length === 0) return;
    for (const entry of this.#waiting) {
      this.client.push(entry === GAP ? -1 - Math.max(0, ...this.client) : entry.id);
    }
    this.#waiting = [];
    this.#stalled = !this.takes;
    this.#behind = this.#stalled;
  }

  #isOver(bytes: number): boolean {
    const frames = this.#waiting.filter((entry) => entry !== GAP).filter(({ counts }) => counts);
    const waiting = frames.reduce((sum, frame) => sum + frame.bytes, 0);
    return frames.length >= SETTINGS.maxQueueItems || waiting + bytes > SETTINGS.maxQueueBytes;
  }

  #refuse(): false {
    this.newest += 1;
    if (this.#waiting.at(-1) !== GAP) this.#waiting.push(GAP);
    return false;
  }
}

it.each(['oldest', 'newest', 'disconnect'] as const)('gives a client what a small model says (%s)', (dropPolicy) => {
  fc.assert(
    fc.property(steps(fc.integer({ min: 30, max: 450 })), (script) => {
      const { sink, flusher, counts, connection } = connect({ ...SETTINGS, dropPolicy });
      const model = new Model(dropPolicy);
      let id = 0;
      const flush = () => {
        flusher.flush();
        model.flush();
      };
      const drain = () => {
        sink.drain();
        connection.drained();
        model.drain();
      };
      for (const step of script) {
        if (step.do === 'send') {
          id += 1;
          const frame = frameOf(id, step.bytes);
          const outcome = connection.push(frame);
          if (outcome === 'overflow') connection.close('backpressure');
          expect(outcome === 'accepted').toBe(model.send(id, frame.byteLength));
        } else if (step.do === 'replay') {
          const ids = Array.from({ length: step.count }, (_, n) => id + 1 + n);
          id += step.count;
          connection.pushReplay(ids.map((each) => frameOf(each, 300)));
          model.replay(ids);
        } else if (step.do === 'drain') drain();
        else if (step.do === 'flush') flush();
        else {
          sink.takes = step.do === 'go';
          model.takes = sink.takes;
        }
      }
      sink.takes = true;
      model.takes = true;
      for (let n = 0; n < 3; n += 1) {
        drain();
        flush();
      }
      expect(seen(sink.text)).toEqual(model.client);
      expect({ oldest: counts.oldest, newest: counts.newest }).toEqual({ oldest: model.oldest, newest: model.newest });
      expect(connection.open).toBe(model.open);
      expect({ left: counts.left, gone: counts.gone }).toEqual(
        model.open ? { left: 0, gone: 0 } : { left: 1, gone: 1 },
      );
      expect(sink.destroyed).toBe(!model.open);
    }),
    { numRuns: 1500 },
  );
});

it('never repeats, reorders or loses silently, whatever the sizes, and writes little at a time behind a stall', () => {
  const sizes = fc.oneof(fc.integer({ min: 30, max: 3000 }), fc.integer({ min: 30, max: 300_000 }));
  fc.assert(
    fc.property(steps(sizes), fc.boolean(), (script, closes) => {
      const limits = { maxQueueItems: 10, maxQueueBytes: 200_000 };
      const { sink, flusher, counts, connection } = connect({ ...SETTINGS, ...limits });
      let id = 0;
      let accepted = 0;
      for (const step of script) {
        if (step.do === 'send') {
          id += 1;
          if (connection.push(frameOf(id, step.bytes)) === 'accepted') accepted += 1;
        } else if (step.do === 'replay') {
          const from = id + 1;
          id += step.count;
          accepted += step.count;
          connection.pushReplay(Array.from({ length: step.count }, (_, n) => frameOf(from + n, 50_000)));
        } else if (step.do === 'drain') {
          sink.drain();
          connection.drained();
        } else if (step.do === 'flush') flusher.flush();
        else sink.takes = step.do === 'go';
      }
      if (closes) connection.close('server');
      for (let n = 0; n < 200; n += 1) {
        sink.drain();
        connection.drained();
        flusher.flush();
      }
      const ids = seen(sink.text);
      let last = 0;
      let gap = false;
      for (const each of ids) {
        if (each < 0) {
          expect(-1 - each).toBe(last);
          expect(gap).toBe(false);
          gap = true;
          continue;
        }
        expect(each).toBeGreaterThan(last);
        expect(gap).toBe(each !== last + 1);
        last = each;
        gap = false;
      }
      expect(ids.filter((each) => each >= 0).length + counts.oldest).toBe(accepted);
      expect(sink.writes.filter(({ stalled, bytes }) => stalled && bytes > 64 * 1024)).toEqual([]);
      expect(sink.writes.filter(({ stalled }) => stalled)).toEqual([]);
      expect(sink.ended).toBe(closes);
      if (closes) connection.closed('server');
      expect(counts.gone).toBe(closes ? 1 : 0);
    }),
    { numRuns: 300 },
  );
});

it.each([
  ['that kept up', true],
  ['that was behind, and took something since', false],
])('cuts off a client %s when it does not take its end', async (_, takes) => {
  const { sink, flusher, counts, connection } = connect({ ...SETTINGS, stallTimeoutMs: 20 });
  sink.takes = takes;
  connection.push(frameOf(1, 100));
  flusher.flush();
  connection.close('server');
  sink.drain();
  if (!takes) connection.drained();
  flusher.flush();
  expect(sink).toMatchObject({ ended: true, destroyed: false });
  await expect.poll(() => sink.destroyed).toBe(true);
  expect(counts).toMatchObject({ left: 1, gone: 1 });
});

it('does not cut off a client that took all it was behind with', async () => {
  const settings = { ...SETTINGS, stallTimeoutMs: 20 };
  const [ann, bob] = [connect(settings), connect(settings)];
  for (const { sink, flusher, connection } of [ann, bob]) {
    sink.takes = false;
    connection.push(frameOf(1, 100));
    flusher.flush();
  }
  ann.sink.drain();
  ann.connection.drained();
  await expect.poll(() => bob.sink.destroyed).toBe(true);
  // Its time was the same.
  await turn();
  expect(ann.sink.destroyed).toBe(false);
});
