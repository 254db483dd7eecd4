import { getEventListeners } from 'node:events';
import { expect, it } from 'vitest';
import type { SSEKify } from '../../src/index.js';
import { openStream } from '../helpers/client.js';
import { usedBytes } from '../helpers/memory.js';
import { serveHub } from '../helpers/server.js';
import { stall, turn } from '../helpers/stall.js';

/** Tasks that end in every way there is. */
async function tasks(sse: SSEKify, count: number, user: (n: number) => string): Promise<AbortSignal[]> {
  const signals: AbortSignal[] = [];
  for (let n = 0; n < count; n += 1) {
    const task = sse.task(user(n), { requestId: `r${n}` });
    signals.push(task.signal);
    const failing = function* () {
      yield n;
      throw new Error('no luck');
    };
    if (n % 4 === 0) await task.pipe([n, n + 1]);
    else if (n % 4 === 1) await task.pipe(failing());
    else if (n % 4 === 2) await task.progress(n).then(() => task.done());
    else {
      const piped = task.pipe(new ReadableStream());
      await task.error('enough');
      await piped;
    }
  }
  return signals;
}

it('keeps nothing of 10,000 tasks that have ended, and no listener on their signals', async () => {
  const { sse, url } = await serveHub({ hub: { enableSeq: false } });
  const client = await openStream(`${url}/ann`);
  const user = () => 'ann';
  await tasks(sse, 2000, user);
  const before = usedBytes();
  client.events.length = 0;
  const signals = await tasks(sse, 10_000, user);
  expect(signals.filter((signal) => !signal.aborted || getEventListeners(signal, 'abort').length > 0)).toEqual([]);
  signals.length = 0;
  sse.sendToUser('ann', '', { event: 'end' });
  await client.event('end');
  client.close();
  await client.over;
  client.events.length = 0;
  // What the client has read is a string of its own.
  expect(usedBytes() - before - client.raw.length * 2).toBeLessThan(1_500_000);
});

it('keeps nothing of the tasks of 10,000 users but a place for each user', async () => {
  const { sse } = await serveHub({ hub: { enableSeq: false, recentBufferSize: 0 } });
  (await tasks(sse, 2000, (n) => `early-${n}`)).length = 0;
  const before = usedBytes();
  (await tasks(sse, 10_000, (n) => `user-${n}`)).length = 0;
  expect(usedBytes() - before).toBeLessThan(2_500_000);
});

it('leaves one listener on a signal while it pipes and one while it waits, and none afterwards', async () => {
  const { sse, url } = await serveHub({ hub: { maxPayloadBytes: 0 } });
  const client = await openStream(`${url}/ann`, { paused: true });
  const task = sse.task('ann', { requestId: 'r1' });
  let most = 0;
  const listeners = () => getEventListeners(task.signal, 'abort').length;
  function* items() {
    for (let n = 0; n < 40; n += 1) {
      most = Math.max(most, listeners());
      yield 'x'.repeat(1_000_000);
    }
  }
  const piped = task.pipe(items());
  client.resume();
  await client.received(20);
  expect(listeners()).toBeLessThanOrEqual(2);
  await piped;
  expect({ most, now: listeners() }).toEqual({ most: 1, now: 0 });
});

it('has one listener on a signal, and causes no warning, however many pieces nobody awaits', async () => {
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on('warning', note);
  const { sse, url, handle } = await serveHub({ hub: { maxPayloadBytes: 0 } });
  const client = await openStream(`${url}/ann`, { paused: true });
  await handle(0);
  await stall(sse, 'ann');
  const task = sse.task('ann', { requestId: 'r1' });
  const pieces = Array.from({ length: 50 }, (_, n) => task.progress(n));
  await turn();
  expect(getEventListeners(task.signal, 'abort')).toHaveLength(1);
  client.resume();
  await Promise.all(pieces);
  expect(getEventListeners(task.signal, 'abort')).toEqual([]);
  await turn();
  process.off('warning', note);
  expect(warnings).toEqual([]);
});
