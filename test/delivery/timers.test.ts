import { createHook } from 'node:async_hooks';
import { ServerResponse } from 'node:http';
import { expect, it, onTestFinished, vi } from 'vitest';
import { Clock, type Wakeable } from '../../src/delivery/clock.js';
import { openStream } from '../helpers/client.js';
import { next } from '../helpers/emitted.js';
import { serveHub } from '../helpers/server.js';

it('makes no timer per connection, ref’d or not', async () => {
  const { sse, url } = await serveHub({ register: { maxLifetimeMs: 60_000, stallTimeoutMs: 60_000 } });
  // The server makes timers of its own per socket; those made while a response is registered are the library's.
  const made: string[] = [];
  let registering = false;
  const hook = createHook({
    init(_id, type) {
      if (registering && type === 'Timeout') made.push(type);
    },
  });
  const register = sse.registerConnection.bind(sse);
  sse.registerConnection = (...args) => {
    const [, response] = args;
    // Node makes a timer in each second in which it writes the date.
    if (response instanceof ServerResponse) response.sendDate = false;
    registering = true;
    try {
      return register(...args);
    } finally {
      registering = false;
    }
  };
  await openStream(`${url}/first`);
  hook.enable();
  const active = process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length;
  await Promise.all(Array.from({ length: 200 }, (_, n) => openStream(`${url}/u${n}`)));
  hook.disable();
  expect(sse.stats().connections).toBe(201);
  // The one timer may be set anew when an earlier wake-up is asked for.
  expect(made.length).toBeLessThanOrEqual(3);
  expect(process.getActiveResourcesInfo().filter((kind) => kind === 'Timeout').length).toBeLessThanOrEqual(active + 1);
});

it('beats for real', async () => {
  const { sse, url } = await serveHub({ hub: { keepAliveMs: 20 } });
  const client = await openStream(`${url}/ann`);
  await client.until(({ comments }) => comments.length >= 3);
  expect(new Set(client.comments)).toEqual(new Set(['ping']));
  expect(client.events).toEqual([]);
  const left = next(sse, 'disconnect');
  client.close();
  await left;
});

it('wakes what is put off while its slot is being woken at its new time only', async () => {
  const clock = new Clock();
  onTestFinished(() => clock.stop());
  const woken: number[] = [];
  // A slot of 10 ms, in whose middle both are due.
  const slot = Math.ceil((clock.now() + 20) / 10) * 10;
  const putOff: Wakeable = {
    wakeSlot: undefined,
    wake: () => {
      woken.push(clock.now());
      return undefined;
    },
  };
  const first: Wakeable = {
    wakeSlot: undefined,
    wake: () => {
      clock.cancel(putOff);
      clock.wakeAt(putOff, slot);
      return undefined;
    },
  };
  clock.wakeAt(first, slot - 9);
  clock.wakeAt(putOff, slot - 9);
  await vi.waitFor(() => expect(woken).toHaveLength(1));
  expect(woken[0]).toBeGreaterThanOrEqual(slot);
});

it('beats on when a test has taken back the fake timers that it was to beat by', async () => {
  const { sse, url } = await serveHub({ hub: { keepAliveMs: 20 } });
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  const first = await openStream(`${url}/ann`).finally(() => vi.useRealTimers());
  const second = await openStream(`${url}/bob`);
  await Promise.all([first, second].map((client) => client.until(() => client.comments.length > 1)));
  expect(sse.stats().connections).toBe(2);
});

it('beats by the fake timers of a test that came after its first connection', async () => {
  const { url } = await serveHub();
  const first = await openStream(`${url}/ann`);
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  try {
    const second = await openStream(`${url}/bob`);
    vi.advanceTimersByTime(16_000);
    await Promise.all([first, second].map((client) => client.until(() => client.comments.length > 0)));
  } finally {
    vi.useRealTimers();
  }
});

it('lets the event loop turn while it wakes many that are due together', async () => {
  const clock = new Clock();
  onTestFinished(() => clock.stop());
  let woken = 0;
  let hasTurned = false;
  const at = clock.now() + 20;
  const turnedBeforeLast = new Promise<boolean>((resolve) => {
    const wake = () => {
      if (woken === 0) setImmediate(() => (hasTurned = true));
      woken += 1;
      const until = performance.now() + 1;
      while (performance.now() < until);
      if (woken === 40) resolve(hasTurned);
      return undefined;
    };
    for (let n = 0; n < 40; n += 1) clock.wakeAt({ wakeSlot: undefined, wake }, at);
  });
  expect(await turnedBeforeLast).toBe(true);
});

it('wakes none that was cancelled or put off while others of its slot had yet to be woken', async () => {
  const clock = new Clock();
  onTestFinished(() => clock.stop());
  const made = (wake: Wakeable['wake']): Wakeable => ({ wakeSlot: undefined, wake });
  const slot = Math.ceil((clock.now() + 20) / 10) * 10;
  const woken: string[] = [];
  let putOffAt = 0;
  const cancelled = made(() => void woken.push('cancelled'));
  const putOff = made(() => {
    woken.push('put off');
    putOffAt = clock.now();
    return undefined;
  });
  const busy = made(() => {
    woken.push('busy');
    const until = performance.now() + 5;
    while (performance.now() < until);
    clock.cancel(cancelled);
    clock.cancel(putOff);
    clock.wakeAt(putOff, slot + 100);
    return undefined;
  });
  for (const who of [busy, cancelled, putOff, made(() => void woken.push('last'))]) clock.wakeAt(who, slot - 9);
  await vi.waitFor(() => expect(woken).toHaveLength(3), { timeout: 10_000 });
  expect(woken).toEqual(['busy', 'last', 'put off']);
  expect(putOffAt).toBeGreaterThanOrEqual(slot + 100);
});
