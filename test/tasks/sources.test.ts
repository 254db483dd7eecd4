import { Readable } from 'node:stream';
import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { Items, Task } from '../../src/index.js';
import { openStream, type StreamReader } from '../helpers/client.js';
import { serveHub } from '../helpers/server.js';

const told = ({ events }: StreamReader) => events.map(({ data }) => JSON.parse(data));
const isOver = (client: StreamReader) => told(client).some(({ phase }) => phase !== 'progress');

async function withTask() {
  const { sse, url, handle } = await serveHub();
  const client = await openStream(`${url}/ann`);
  return { sse, client, task: sse.task('ann', { requestId: 'r1' }), handle: await handle(0) };
}

/** Words in every kind of iterable. */
const kinds: [string, () => Items][] = [
  ['an array', () => ['a', 'b', 'c']],
  ['a string', () => 'abc'],
  ['a set', () => new Set(['a', 'b', 'c'])],
  ['an array of promises', () => [Promise.resolve('a'), 'b', turn().then(() => 'c')]],
  [
    'a generator',
    function* () {
      yield* 'abc';
    },
  ],
  [
    'an async generator',
    async function* () {
      for (const word of 'abc') {
        await turn();
        yield word;
      }
    },
  ],
  ['a Node stream', () => Readable.from(['a', 'b', 'c'])],
  [
    'a web stream',
    () =>
      new ReadableStream({
        start(controller) {
          for (const word of 'abc') controller.enqueue(word);
          controller.close();
        },
      }),
  ],
  [
    'an iterable that is async in name only',
    () => Object.assign(['a', 'b', 'c'], { [Symbol.asyncIterator]: undefined }),
  ],
];

it.each(kinds)('pipes %s, by a task and by a connection', async (_, items) => {
  const { client, task, handle } = await withTask();
  await task.pipe(items(), { type: 'word' });
  await client.until(isOver);
  expect(told(client).map(({ phase, type, payload }) => [phase, type, payload])).toEqual([
    ['progress', 'word', 'a'],
    ['progress', 'word', 'b'],
    ['progress', 'word', 'c'],
    ['done', undefined, undefined],
  ]);
  expect(await handle.pipe(items(), { event: 'raw', text: true })).toBe(3);
  await client.received(7);
  expect(client.events.slice(4).map(({ event, data }) => `${event} ${data}`)).toEqual(['raw a', 'raw b', 'raw c']);
});

const failure = new Error('the model is out of words');
const failing: [string, () => Items][] = [
  [
    'an async generator that throws',
    async function* () {
      yield 'a';
      throw failure;
    },
  ],
  [
    'a generator that throws',
    function* () {
      yield 'a';
      throw failure;
    },
  ],
  ['a promise that rejects', () => ['a', Promise.reject(failure)]],
  [
    'a web stream that errors',
    () => {
      let pulls = 0;
      return new ReadableStream(
        {
          pull(controller) {
            pulls += 1;
            if (pulls === 1) controller.enqueue('a');
            else controller.error(failure);
          },
        },
        { highWaterMark: 0 },
      );
    },
  ],
  [
    'a Node stream that is destroyed',
    () =>
      Readable.from(
        (function* () {
          yield 'a';
          throw failure;
        })(),
      ),
  ],
  [
    'next that throws at once',
    () => {
      let calls = 0;
      const next = () => {
        calls += 1;
        if (calls > 1) throw failure;
        return { value: 'a' };
      };
      return { [Symbol.iterator]: () => ({ next }) };
    },
  ],
];

it.each(failing)('ends the task with one error event for %s', async (_, items) => {
  const { client, task, handle } = await withTask();
  await task.pipe(items());
  await client.until(isOver);
  expect(told(client)).toMatchObject([
    { phase: 'progress', payload: 'a' },
    { phase: 'error', error: { message: failure.message } },
  ]);
  await expect(handle.pipe(items())).rejects.toBe(failure);
});

it('takes results that an async iterator gives at once', async () => {
  const { handle } = await withTask();
  const results = [{ value: 'a' }, { value: 'b' }, { done: true, value: undefined }];
  const items = { [Symbol.asyncIterator]: () => ({ next: () => results.shift() }) } as unknown as Items;
  expect(await handle.pipe(items)).toBe(2);
});

it('takes an iterator that gives no object, or none at all, for a failure', async () => {
  const { client, task, handle } = await withTask();
  const broken = { [Symbol.asyncIterator]: () => ({ next: () => Promise.resolve() }) } as unknown as Items;
  await task.pipe(broken);
  await client.until(isOver);
  expect(told(client)).toMatchObject([{ phase: 'error' }]);
  const numbers = { [Symbol.iterator]: () => ({ next: () => 7 }) } as unknown as Items;
  await expect(handle.pipe(numbers)).rejects.toThrow(TypeError);
  const none = {
    [Symbol.iterator](): Iterator<unknown> {
      throw failure;
    },
  };
  await expect(handle.pipe(none)).rejects.toBe(failure);
});

it('closes an iterator of which a promise rejects', async () => {
  const { task, handle } = await withTask();
  let closed = 0;
  const items = () => ({
    [Symbol.iterator]: () => ({
      next: () => ({ value: Promise.reject(failure) }),
      return() {
        closed += 1;
        return { done: true as const, value: undefined };
      },
    }),
  });
  await task.pipe(items());
  expect(closed).toBe(1);
  await expect(handle.pipe(items())).rejects.toBe(failure);
  expect(closed).toBe(2);
});

/** An endless source that counts how often it is closed, and then does what it is told. */
function counted(closed: { count: number }, close: () => Promise<IteratorResult<unknown>>): Items {
  const next = async () => {
    await turn();
    return { value: 'more' };
  };
  const stop = () => {
    closed.count += 1;
    return close();
  };
  return { [Symbol.asyncIterator]: () => ({ next, return: stop }) };
}

it.each<[string, () => Promise<IteratorResult<unknown>>]>([
  ['answers', () => Promise.resolve({ done: true, value: undefined })],
  ['rejects', () => Promise.reject(failure)],
  [
    'throws',
    () => {
      throw failure;
    },
  ],
  ['hangs', () => new Promise(() => undefined)],
])('closes what it pipes once, and waits for nothing, when return() %s', async (_, close) => {
  const closed = { count: 0 };
  const { client, task, handle } = await withTask();
  const piped = task.pipe(counted(closed, close));
  await client.received(3);
  await task.done();
  await piped;
  expect(closed.count).toBe(1);
  const sent = handle.pipe(counted(closed, close), { event: 'raw' });
  await client.event('raw');
  handle.close();
  expect(await sent).toBeGreaterThan(0);
  expect(closed.count).toBe(2);
  expect(await handle.pipe(counted(closed, close))).toBe(0);
  expect(closed.count).toBe(3);
});

/** Sources from which nothing ever comes. */
const silent: [string, (onClose: () => void) => Items][] = [
  ['a web stream', (cancel) => new ReadableStream({ cancel })],
  ['a Node stream', (onClose) => new Readable({ read: () => undefined }).on('close', onClose)],
  [
    'an iterator',
    (onClose) => ({
      [Symbol.asyncIterator]: () => ({
        next: () => new Promise(() => undefined),
        async return() {
          onClose();
          return { done: true, value: undefined };
        },
      }),
    }),
  ],
];

it.each(silent)('stops %s that never yields: by the end of the task, and of the connection', async (_, source) => {
  const { task, handle } = await withTask();
  const stopped = (stop: (items: Items) => Promise<unknown>) =>
    new Promise<void>((resolve, reject) => {
      stop(source(resolve)).catch(reject);
    });
  await stopped(async (items) => {
    const piped = task.pipe(items);
    await turn();
    await task.error('enough');
    await piped;
  });
  await stopped(async (items) => {
    const piped = handle.pipe(items);
    await turn();
    handle.close();
    expect(await piped).toBe(0);
  });
});

it('leaves the event loop to others, however fast the items come', async () => {
  const { sse } = await withTask();
  const nobody: Task = sse.task('nobody', { requestId: 'r2' });
  let turns = 0;
  const count = () => {
    turns += 1;
    if (!nobody.ended) setImmediate(count);
  };
  count();
  await nobody.pipe(Array.from({ length: 10_000 }, (_, n) => n));
  expect(turns).toBeGreaterThan(100);
});
