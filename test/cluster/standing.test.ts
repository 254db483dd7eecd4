import { expect, it, vi } from 'vitest';
import { SSEKify } from '../../src/index.js';
import { atEnd } from '../helpers/cleanup.js';
import { collect } from '../helpers/emitted.js';
import { MemoryBus } from '../helpers/memory-bus.js';
import { endWithTest } from '../helpers/server.js';

const CHANNEL = 'ssekify:bus';

/** A hub whose adapter is told what to do when it is asked to subscribe. */
function hubWith(subscribe: (asked: number) => Promise<void>) {
  const adapter = new MemoryBus().adapter();
  let asked = 0;
  const own = adapter.subscribe.bind(adapter);
  adapter.subscribe = (channel) => {
    asked += 1;
    expect(channel).toBe(CHANNEL);
    void own(channel);
    return subscribe(asked);
  };
  const sse = new SSEKify({ redis: adapter });
  endWithTest(sse);
  return { sse, adapter, errors: collect(sse, 'error'), asked: () => asked };
}

it('reports to whom listens right after making the hub that an adapter threw at once, and asks again', async () => {
  const { sse, errors, asked } = hubWith((count) => {
    if (count === 1) throw new Error('not yet');
    return Promise.resolve();
  });
  await sse.ready();
  expect(errors).toMatchObject([{ code: 'BUS_ERROR', cause: { message: 'not yet' } }]);
  expect(asked()).toBe(2);
});

it('takes the word of an adapter on its state before it has subscribed', async () => {
  let answer: () => void = () => undefined;
  const { sse, adapter, errors } = hubWith(
    () =>
      new Promise((resolve) => {
        answer = resolve;
      }),
  );
  const ready = sse.ready();
  adapter.tell('up');
  await ready;
  adapter.tell('down');
  expect(sse.stats().bus).toMatchObject({ state: 'down', outages: 1 });
  answer();
  await sse.ready();
  expect(sse.stats().bus.state).toBe('up');
  expect(errors.map(({ code }) => code)).toEqual(['BUS_DOWN']);
});

it('asks no more once it was shut down while subscribing', async () => {
  let refuse: (cause: Error) => void = () => undefined;
  const { sse, adapter, errors, asked } = hubWith(
    () =>
      new Promise((_, reject) => {
        refuse = reject;
      }),
  );
  const ready = sse.ready();
  await sse.shutdown({ graceMs: 0 });
  await expect(ready).rejects.toMatchObject({ code: 'SHUTDOWN' });
  refuse(new Error('closed'));
  await new Promise((resolve) => setImmediate(resolve));
  expect(errors.map(({ code }) => code)).toEqual([]);
  expect(asked()).toBe(1);
  expect(adapter.listeners).toBe(0);
});

it('asks no more while its adapter closes', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  atEnd(() => vi.useRealTimers());
  const { sse, adapter, asked } = hubWith(() => Promise.reject(new Error('not yet')));
  await vi.advanceTimersByTimeAsync(0);
  let closed: () => void = () => undefined;
  Object.assign(adapter, {
    close: () =>
      new Promise<void>((resolve) => {
        closed = resolve;
      }),
  });
  const ended = sse.shutdown({ graceMs: 10_000 });
  await vi.advanceTimersByTimeAsync(5000);
  expect(asked()).toBe(1);
  closed();
  await ended;
});

it('takes no subscription for one that stands once it was shut down', async () => {
  let answer: () => void = () => undefined;
  const { sse } = hubWith(
    () =>
      new Promise((resolve) => {
        answer = resolve;
      }),
  );
  sse.ready().catch(() => undefined);
  await sse.shutdown({ graceMs: 0 });
  answer();
  await new Promise((resolve) => setImmediate(resolve));
  expect(sse.stats().bus.state).toBe('connecting');
});

it('reports that an adapter fails to listen, which it may begin asynchronously', async () => {
  const adapter = new MemoryBus().adapter();
  adapter.on = async () => {
    throw new Error('not connected');
  };
  const sse = new SSEKify({ redis: adapter });
  endWithTest(sse);
  const errors = collect(sse, 'error');
  await sse.ready();
  expect(errors).toMatchObject([{ code: 'BUS_ERROR', cause: { message: 'not connected' } }]);
});
