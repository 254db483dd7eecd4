import { once } from 'node:events';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { SSEKify, type Task } from '../../src/index.js';
import { openStream } from '../helpers/client.js';
import { next } from '../helpers/emitted.js';
import { flushed, MadeUpResponse } from '../helpers/made-up-response.js';
import { MemoryBus } from '../helpers/memory-bus.js';
import { endWithTest, serveHub } from '../helpers/server.js';
import { standsStill } from '../helpers/stall.js';

const aborted = async ({ signal }: Task) => {
  if (!signal.aborted) await once(signal, 'abort');
};

/** Words without end, and a promise of their being closed. */
function words() {
  let close = () => {};
  const closed = new Promise<void>((resolve) => {
    close = resolve;
  });
  async function* items() {
    try {
      for (let n = 0; ; n += 1) {
        await turn();
        yield `word ${n}`;
      }
    } finally {
      close();
    }
  }
  return { items: items(), closed };
}

it('stops the producer of a user who leaves midway, and tells whoever returns later', async () => {
  const { sse, url } = await serveHub({ hub: { recentBufferSize: 5 } });
  const client = await openStream(`${url}/ann`);
  const task = sse.task('ann', { requestId: 'r1', goneAfterMs: 30 });
  const { items, closed } = words();
  const piped = task.pipe(items);
  await client.received(3);
  client.close();
  await next(sse, 'disconnect');
  expect(task.ended).toBe(false);
  await aborted(task);
  await Promise.all([closed, piped]);
  const back = await openStream(`${url}/ann`, { lastEventId: client.lastEventId });
  await back.until(({ raw }) => raw.includes('GONE'));
  expect(JSON.parse(back.events.at(-1)?.data ?? '')).toMatchObject({
    requestId: 'r1',
    phase: 'error',
    event: 'error',
    error: { message: 'the user is gone', code: 'GONE' },
  });
});

it('changes nothing for a user who comes back in time, or has another tab', async () => {
  const { sse, url } = await serveHub();
  const wish = { requestId: 'r1', goneAfterMs: 200 };
  const tasks = ['ann', 'bob', 'cem', 'dan'].map((user) => sse.task(user, wish));
  const [ann, bob, cem, dan] = tasks;
  const clients = await Promise.all(['ann', 'bob', 'cem', 'cem'].map((user) => openStream(`${url}/${user}`)));
  for (const client of [clients[0], clients[2]]) {
    client?.close();
    await next(sse, 'disconnect');
  }
  await openStream(`${url}/ann`);
  clients[1]?.close();
  await next(sse, 'disconnect');
  // Who left last is gone; who left earlier and is not gone will not be.
  await aborted(bob as Task);
  expect([ann, bob, cem, dan].map((task) => task?.ended)).toEqual([false, true, false, false]);
  // Another absence counts from its own beginning.
  clients[3]?.close();
  await aborted(cem as Task);
  expect(ann?.ended).toBe(false);
});

it('stops what a user who leaves still has, when another task of theirs has ended', async () => {
  const { sse, url } = await serveHub();
  const tasks = ['r1', 'r2'].map((requestId) => sse.task('ann', { requestId, goneAfterMs: 0 }));
  const client = await openStream(`${url}/ann`);
  await tasks[0]?.done();
  client.close();
  await aborted(tasks[1] as Task);
});

it('stops each task of a user who left when its own time is over', async () => {
  const { sse, url } = await serveHub();
  const tasks = [0, 50].map((goneAfterMs) => sse.task('ann', { requestId: `r${goneAfterMs}`, goneAfterMs }));
  (await openStream(`${url}/ann`)).close();
  for (const task of tasks) await aborted(task);
});

it('counts a user who left before the task began, or was never here, as not gone', async () => {
  const { sse, url } = await serveHub();
  const wish = { requestId: 'r1', goneAfterMs: 0 };
  const detached = sse.task('ann', { requestId: 'r0', whenGone: 'detach' });
  const first = sse.task('ann', wish);
  const client = await openStream(`${url}/ann`);
  client.close();
  await aborted(first);
  const second = sse.task('ann', { ...wish, requestId: 'r2' });
  const other = sse.task('bob', wish);
  // A user who does leave, after all this.
  const third = sse.task('cem', wish);
  (await openStream(`${url}/cem`)).close();
  await aborted(third);
  expect([detached, second, other].map(({ ended }) => ended)).toEqual([false, false, false]);
  await second.done('for later');
  const back = await openStream(`${url}/ann`, { lastEventId: client.lastEventId });
  expect(back.status).toBe(200);
});

it('lets a detached producer go on for a user who is gone, and waits for nobody', async () => {
  const { sse, url } = await serveHub();
  const client = await openStream(`${url}/ann`, { paused: true });
  const task = sse.task('ann', { requestId: 'r1', whenGone: 'detach', goneAfterMs: 0 });
  let made = 0;
  function* items() {
    for (; made < 400; made += 1) yield 'x'.repeat(100_000);
  }
  const piped = task.pipe(items());
  await sse.task('bob', { requestId: 'r2' }).pipe(Array.from({ length: 1000 }));
  expect(made).toBeLessThan(400);
  client.close();
  await piped;
  expect(made).toBe(400);
});

it('detaches by default where the user may be on another instance', async () => {
  const { sse, url } = await serveHub({ hub: { redis: new MemoryBus().adapter() } });
  const task = sse.task('ann', { requestId: 'r1', goneAfterMs: 0 });
  const stopping = sse.task('ann', { requestId: 'r2', goneAfterMs: 0, whenGone: 'stop' });
  (await openStream(`${url}/ann`)).close();
  await aborted(stopping);
  expect(task.ended).toBe(false);
  await task.done();
});

it('counts a user whose connections were closed by a command as gone', async () => {
  const { sse, url } = await serveHub();
  const task = sse.task('ann', { requestId: 'r1', goneAfterMs: 10 });
  await Promise.all([openStream(`${url}/ann`), openStream(`${url}/ann`)]);
  await sse.publishClose('ann', { reason: 'logged out' });
  await aborted(task);
  await expect(task.progress('late')).rejects.toMatchObject({ code: 'TASK_ENDED' });
});

it('holds no producer for a client that is closed while it does not read', async () => {
  const { sse, url, handle } = await serveHub({ hub: { maxPayloadBytes: 0 } });
  const client = await openStream(`${url}/ann`, { paused: true });
  const own = await handle(0);
  const task = sse.task('ann', { requestId: 'r1', whenGone: 'detach' });
  const many = Array.from({ length: 60 }, () => 'x'.repeat(1_000_000));
  const all = [task.pipe(many), own.pipe(many)];
  await standsStill(() => sse.stats().sent);
  expect(sse.stats().sent).toBeLessThan(60);
  sse.close('ann');
  await Promise.all(all);
  client.close();
});

it('does not count those as gone whom a shutdown sends away, and aborts what goes on', async () => {
  const sse = new SSEKify({ redis: new MemoryBus().adapter() });
  const published: unknown[] = [];
  sse.on('publish', ({ data }) => published.push(data));
  const { url } = await serveHub({ before: ({ url: path = '' }, res) => void sse.registerConnection(path, res) });
  // The first is sent away some time before the last.
  for (const user of ['ann', 'bob']) await openStream(`${url}/${user}`);
  const task = sse.task('/ann', { requestId: 'r1', whenGone: 'stop', goneAfterMs: 0 });
  await task.progress('a');
  await sse.shutdown({ graceMs: 200 });
  expect(task.signal.aborted).toBe(true);
  expect(published).toMatchObject([{ phase: 'progress' }]);
  endWithTest(sse);
});

it('still wakes who waits for a client after a stream ended by the signal of a task that waited for it', async () => {
  const sse = new SSEKify({ keepAliveMs: 0 });
  endWithTest(sse);
  const connect = (userId: string, signal?: AbortSignal) => {
    const response = new MadeUpResponse();
    response.takes = false;
    sse.registerConnection(userId, response.asResponse(), { signal });
    return response;
  };
  const anns = sse.task('ann', { requestId: 'a' });
  connect('ann', anns.signal);
  const sent = anns.progress('a piece');
  await flushed();
  await anns.done();
  await sent;
  const response = connect('bob');
  let isTaken = false;
  const task = sse.task('bob', { requestId: 'b' });
  task.progress('a piece').then(() => {
    isTaken = true;
  });
  await flushed();
  expect(isTaken).toBe(false);
  response.takes = true;
  response.drain();
  await flushed();
  expect(isTaken).toBe(true);
  await task.done();
});
