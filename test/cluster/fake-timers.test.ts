import { expect, it, vi } from 'vitest';
import { SSEKify } from '../../src/index.js';
import { MemoryBus } from '../helpers/memory-bus.js';
import { endWithTest } from '../helpers/server.js';
import { turn } from '../helpers/stall.js';

/** A test's time, which is taken back with all that was set for it. */
async function inFakeTime<Value>(run: () => Promise<Value>): Promise<Value> {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  return run().finally(() => vi.useRealTimers());
}

it.each([
  ['before its time', 0],
  ['while it is looked for', 4750],
])('gives up a publish that a test with fake timers left unanswered %s', async (_, heldMs) => {
  const adapter = new MemoryBus().adapter();
  const sse = new SSEKify({ redis: adapter });
  endWithTest(sse);
  sse.on('error', () => {});
  await sse.ready();
  Object.assign(adapter, { silent: true, losesEchoes: true });
  const codes: string[] = [];
  const publish = () => void sse.publish('unanswered').catch(({ code }) => codes.push(code));
  await inFakeTime(async () => {
    publish();
    await vi.advanceTimersByTimeAsync(heldMs);
  });
  await inFakeTime(async () => {
    publish();
    await vi.advanceTimersByTimeAsync(20_000);
    await turn();
    await turn();
  });
  expect(codes).toEqual(['PUBLISH_UNANSWERED', 'PUBLISH_UNANSWERED']);
});
