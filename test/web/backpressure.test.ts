import { expect, it, vi } from 'vitest';
import { atEnd } from '../helpers/cleanup.js';
import { collect, next } from '../helpers/emitted.js';
import { turn } from '../helpers/stall.js';
import { bodyOf, createHub, pieces, read, requestFor } from './responses.js';

const KILOBYTE = 'x'.repeat(1024);

/** The numbers in a stream, and where it tells of a gap. */
const numbersIn = (text: string): string[] =>
  [...text.matchAll(/"n":(\d+)|event: (server:gap)/g)].map(([, n, gap]) => n ?? gap ?? '');

it('keeps of a body that nobody reads what the limits allow, and tells of the loss once, in its place', async () => {
  const sse = createHub();
  const stream = pieces(sse.respond(requestFor(), 'ann', { maxQueueItems: 10 }));
  let accepted = 0;
  for (let n = 0; n < 1000; n += 1) {
    accepted += sse.sendToUser('ann', { n, text: KILOBYTE });
    await turn();
  }
  expect(accepted).toBe(1000);
  const { queueItemsMax, droppedOldest, disconnectedByStall } = sse.stats();
  expect({ queueItemsMax, disconnectedByStall }).toEqual({ queueItemsMax: 10, disconnectedByStall: 0 });
  sse.close('ann');
  const numbers = numbersIn(await stream.rest());
  const gapAt = numbers.indexOf('server:gap');
  // What the stream had taken before it was full, the gap, and the last ten.
  expect(gapAt).toBeLessThan(20);
  expect(numbers).toEqual([
    ...Array.from({ length: gapAt }, (_, n) => String(n)),
    'server:gap',
    ...Array.from({ length: 10 }, (_, n) => String(990 + n)),
  ]);
  expect(droppedOldest).toBe(1000 - numbers.length + 1);
  expect(sse.stats()).toMatchObject({ connections: 0, gaps: { dropped: 1 } });
});

it.each([
  ['newest', 'dropped'],
  ['disconnect', 'backpressure'],
] as const)('keeps to dropPolicy %s', async (dropPolicy, outcome) => {
  const sse = createHub();
  const disconnects = collect(sse, 'disconnect');
  const stream = pieces(sse.respond(requestFor(), 'ann', { maxQueueItems: 5, dropPolicy }));
  for (let n = 0; n < 100; n += 1) {
    sse.sendToUser('ann', { n, text: KILOBYTE });
    await turn();
  }
  if (outcome === 'backpressure') {
    expect(disconnects).toMatchObject([{ reason: 'backpressure' }]);
    await expect(stream.rest()).rejects.toThrow('cut the stream off');
    return;
  }
  const lost = Number(sse.stats().droppedNewest);
  sse.sendToUser('ann', { n: 100 });
  sse.close('ann');
  const numbers = numbersIn(await stream.rest());
  expect(numbers.at(-1)).toBe('server:gap');
  expect(numbers.slice(0, -1)).toEqual(Array.from({ length: 100 - lost }, (_, n) => String(n)));
});

it('gives a reader that pauses and goes on everything in order, as long as it fits', async () => {
  const sse = createHub();
  const stream = pieces(sse.respond(requestFor(), 'ann', { maxQueueItems: 1000, maxQueueBytes: 1024 * 1024 }));
  let text = '';
  let sent = 0;
  const send = (count: number) => {
    for (let n = 0; n < count; n += 1, sent += 1) sse.sendToUser('ann', { n: sent, text: `é${KILOBYTE}` });
  };
  for (let round = 0; round < 20; round += 1) {
    for (let each = 0; each < 20; each += 1) {
      send(round % 3 === 0 ? 1 : 3);
      await turn();
    }
    while (numbersIn(text).length < sent) text += (await stream.next()) ?? '';
    send(1);
  }
  sse.close('ann');
  text += await stream.rest();
  expect(numbersIn(text)).toEqual(Array.from({ length: sent }, (_, n) => String(n)));
  expect(sse.stats()).toMatchObject({ droppedOldest: 0, gaps: { dropped: 0 } });
});

it('gives what was sent in one tick whole to a reader that keeps up', async () => {
  const sse = createHub();
  const client = read(sse.respond(requestFor(), 'ann'));
  for (let n = 0; n < 10_000; n += 1) sse.sendToUser('ann', n);
  const events = await client.received(10_000);
  expect(events.map(({ data }) => Number(data))).toEqual(Array.from({ length: 10_000 }, (_, n) => n));
});

it('gives a frame that is much larger than a write whole', async () => {
  const sse = createHub({ maxPayloadBytes: 0 });
  const stream = pieces(sse.respond(requestFor(), 'ann'));
  const large = '日本é'.repeat(500_000);
  sse.sendToUser('ann', large, { text: true });
  await turn();
  sse.sendToUser('ann', large, { text: true, event: 'small' });
  sse.sendToUser('ann', 'after');
  sse.close('ann');
  const text = await stream.rest();
  expect(text.split('\n\n').at(1)).toContain(large);
  expect(text).toMatch(/data: "after"\n\n$/);
});

it.each([
  ['of which much waits', 64],
  ['of which almost nothing waits', 0],
])('ends a stream that nobody reads after stallTimeoutMs, %s', async (_how, kilobytes) => {
  const sse = createHub({ keepAliveMs: 300, connection: { stallTimeoutMs: 200 } });
  const left = next(sse, 'disconnect');
  const response = sse.respond(requestFor(), 'ann');
  sse.sendToUser('ann', KILOBYTE.repeat(kilobytes));
  expect(await left).toMatchObject({ userId: 'ann', reason: 'stalled' });
  expect(sse.stats()).toMatchObject({ connections: 0, disconnectedByStall: 1 });
  await expect(response.text()).rejects.toThrow('cut the stream off');
});

it('spares a reader that takes a little at a time', async () => {
  const sse = createHub({ keepAliveMs: 0, connection: { stallTimeoutMs: 200 } });
  const disconnects = collect(sse, 'disconnect');
  const reader = bodyOf(sse.respond(requestFor(), 'ann')).getReader({ mode: 'byob' });
  for (let n = 0; n < 3; n += 1) {
    sse.sendToUser('ann', KILOBYTE.repeat(20));
    await turn();
  }
  sse.close('ann');
  const startedAt = performance.now();
  let taken = 0;
  for (;;) {
    const { done, value } = await reader.read(new Uint8Array(4096));
    if (done) break;
    taken += value.byteLength;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  expect(performance.now() - startedAt).toBeGreaterThan(600);
  expect(taken).toBeGreaterThan(60 * 1024);
  expect(disconnects).toMatchObject([{ reason: 'server' }]);
  expect(sse.stats().connections).toBe(0);
});

it('counts what a reader takes at once, so that it has its time to come for the end', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  atEnd(() => vi.useRealTimers());
  const sse = createHub({ keepAliveMs: 0, connection: { stallTimeoutMs: 400 } });
  const stream = pieces(sse.respond(requestFor(), 'ann'));
  sse.sendToUser('ann', 'last');
  sse.close('ann');
  await vi.advanceTimersByTimeAsync(300);
  expect(await stream.next()).toMatch(/"last"\n\n$/);
  await vi.advanceTimersByTimeAsync(300);
  expect(await stream.next()).toBeUndefined();
});

it('does not hang at a shutdown over a body that nobody reads', async () => {
  const sse = createHub();
  const disconnects = collect(sse, 'disconnect');
  const little = sse.respond(requestFor(), 'ann');
  const much = sse.respond(requestFor(), 'bob');
  sse.sendToUser('bob', KILOBYTE.repeat(100));
  await turn();
  await sse.shutdown({ graceMs: 100 });
  expect(disconnects.map(({ reason }) => reason)).toEqual(['shutdown', 'shutdown']);
  for (const response of [little, much]) await expect(response.text()).rejects.toThrow('cut the stream off');
});

it.each([1, 7, 100_000])('fills the buffers of %i bytes that a reader brings', async (size) => {
  const sse = createHub();
  const reader = bodyOf(sse.respond(requestFor(), 'ann')).getReader({ mode: 'byob' });
  sse.sendToUser('ann', 'é日本');
  sse.sendToUser('ann', 'second');
  sse.close('ann');
  const taken: Buffer[] = [];
  for (;;) {
    const { done, value } = await reader.read(new Uint8Array(size));
    if (done) break;
    taken.push(Buffer.from(value));
  }
  expect(Buffer.concat(taken).toString()).toMatch(
    /^retry: 2000\n\nid: .+\ndata: "é日本"\n\nid: .+\ndata: "second"\n\n$/,
  );
  await reader.closed;
  expect(sse.stats().connections).toBe(0);
});

it.each(['ended', 'left'])('answers a reader that waits with its own buffer when the stream has %s', async (how) => {
  const sse = createHub();
  const abort = new AbortController();
  const reader = bodyOf(sse.respond(requestFor('/sse', { signal: abort.signal }), 'ann')).getReader({ mode: 'byob' });
  await reader.read(new Uint8Array(1000));
  const waiting = reader.read(new Uint8Array(10));
  if (how === 'ended') sse.close('ann');
  else abort.abort();
  expect(await waiting).toMatchObject({ done: true });
});

it('breaks nothing when the end comes amid an element of the array that a reader brought', async () => {
  const sse = createHub({ retryMs: 100 });
  const reader = bodyOf(sse.respond(requestFor(), 'ann')).getReader({ mode: 'byob' });
  const other = read(sse.respond(requestFor(), 'bob'));
  // "retry: 100\n\n" is of 12 bytes: four remain in the second element of eight.
  const first = await reader.read(new Float64Array(4));
  expect(first.value).toHaveLength(1);
  const second = expect(reader.read(new Float64Array(4))).rejects.toThrow(TypeError);
  sse.close('ann');
  await second;
  expect(sse.stats().connections).toBe(1);
  sse.sendToAll('still');
  await other.received(1);
});

it('serves both branches of a response that was cloned, until both are cancelled', async () => {
  const sse = createHub();
  const response = sse.respond(requestFor(), 'ann');
  const copy = response.clone();
  const [one, other] = [pieces(response), pieces(copy)];
  sse.sendToUser('ann', 'both');
  for (const stream of [one, other]) {
    let text = '';
    while (!text.includes('data: "both"')) text += await stream.next();
    expect(text).toMatch(/^retry/);
  }
  const cancelled = one.reader.cancel();
  expect(sse.stats().connections).toBe(1);
  await Promise.all([cancelled, other.reader.cancel()]);
  expect(sse.stats().connections).toBe(0);
});
