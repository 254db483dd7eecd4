import { describe, expect, it } from 'vitest';
import { atEnd } from '../helpers/cleanup.js';
import { openStream, type StreamClient } from '../helpers/client.js';
import { startEggApp } from '../helpers/egg-app.js';
import { type Example, postJson, request } from '../helpers/example.js';
import { program } from '../helpers/programs.js';
import { startRedis } from '../helpers/redis.js';

const redisServer = program('redis-server');

/** What Egg's configuration has for the plugin, as JSON. */
const sse = (options: Record<string, unknown>) => ({ SSE: JSON.stringify({ retryMs: 20, ...options }) });

async function call(app: Example, method: string, ...args: unknown[]): Promise<Record<string, unknown>> {
  return (await postJson(`${app.url}/call`, { method, args })).json();
}

/** A stream of each worker. */
async function onEach(app: Example, query = '', workers = 2): Promise<StreamClient[]> {
  const streams = new Map<unknown, StreamClient>();
  while (streams.size < workers) {
    const stream = await openStream(`${app.url}/stream${query}`);
    expect(stream.status).toBe(200);
    const worker = stream.headers['x-worker'];
    if (streams.has(worker)) stream.close();
    else streams.set(worker, stream);
  }
  return [...streams.values()];
}

const dataOf = ({ events }: StreamClient) => events.map(({ data }) => data);
const upTo = (count: number) => Array.from({ length: count }, (_, i) => i);
const hasHeard = (streams: readonly StreamClient[], data: string) =>
  Promise.all(streams.map((stream) => stream.until(() => dataOf(stream).includes(data))));

interface Mode {
  name: string;
  skip: boolean;
  options(): Promise<Record<string, unknown>>;
}

const MODES: readonly Mode[] = [
  { name: "Egg's messenger", skip: false, options: async () => ({}) },
  { name: 'Redis', skip: redisServer.skip, options: async () => ({ redis: (await startRedis()).url }) },
];

for (const mode of MODES) {
  describe.skipIf(mode.skip)(`the Egg plugin with two workers, by ${mode.name}`, () => {
    const start = async (options: Record<string, unknown> = {}) =>
      startEggApp(sse({ ...(await mode.options()), ...options }));

    it('publishes to a pool on all workers, whichever worker does, once and in one order', async () => {
      const app = await start();
      const [ann, bob, shared] = [
        await onEach(app, '?connectKey=ann'),
        await onEach(app, '?connectKey=bob'),
        await onEach(app),
      ];
      await Promise.all(upTo(40).map((i) => call(app, 'publish', 'ann', { data: { i }, event: 'news' })));
      await call(app, 'publish', '@sse/count', 'to those without a key');
      await call(app, 'publishAll', 'to all');
      await hasHeard([...ann, ...bob, ...shared], 'to all');
      const [one, two] = ann.map(dataOf);
      expect(one).toEqual(two);
      const numbers = one?.slice(0, -1).map((data) => JSON.parse(data).i);
      expect(numbers?.sort((a, b) => a - b)).toEqual(upTo(40));
      for (const stream of bob) expect(dataOf(stream)).toEqual(['to all']);
      for (const stream of shared) expect(dataOf(stream)).toEqual(['to those without a key', 'to all']);
    });

    it('sends text as it is, data as JSON, and what begins with a colon as a comment', async () => {
      const app = await start({ autoFields: { timestamp: false } });
      const [ann, bob] = [await onEach(app, '?connectKey=ann'), await onEach(app, '?connectKey=bob')];
      await call(app, 'publish', 'ann', ': for Ann');
      await call(app, 'publish', 'ann', { data: ':a message for Ann' });
      await call(app, 'publishAll', ':for all');
      await call(app, 'publish', 'ann', 'two\nlines "and quotes"');
      await call(app, 'publish', 'ann', { data: { a: 1 }, event: 'named', id: 7, retry: 30 });
      await call(app, 'publish', 'ann', { data: ':)', event: 'message' });
      await call(app, 'publish', 'ann', { data: 5 });
      await call(app, 'publish', 'ann', { event: 'empty' });
      await call(app, 'publishAll', 'end');
      await hasHeard([...ann, ...bob], 'end');
      for (const stream of ann) {
        expect(dataOf(stream)).toEqual(['two\nlines "and quotes"', '{"a":1}', ':)', '5', '', 'end']);
        expect(stream.events[1]).toEqual({ data: '{"a":1}', event: 'named', id: '7' });
        expect(stream.retries).toEqual([20, 30]);
        expect(stream.comments).toEqual(['for Ann', 'a message for Ann', 'for all']);
      }
      for (const stream of bob) {
        expect(dataOf(stream)).toEqual(['end']);
        expect(stream.comments).toEqual(['for all']);
      }
    });

    it('resends on any worker what a client of a pool missed', async () => {
      const app = await start();
      const [first] = await onEach(app, '?connectKey=ann');
      await call(app, 'publish', 'ann', 'seen');
      await first?.received(1);
      first?.close();
      for (const data of ['missed', 'missed too']) await call(app, 'publish', 'ann', data);
      await call(app, 'publish', 'bob', "another's");
      await call(app, 'publishAll', "everyone's");
      const workers = new Set();
      while (workers.size < 2) {
        const back = await openStream(`${app.url}/stream?connectKey=ann`, { lastEventId: first?.lastEventId ?? '' });
        await hasHeard([back], "everyone's");
        expect(dataOf(back)).toEqual(['missed', 'missed too', "everyone's"]);
        workers.add(back.headers['x-worker']);
        back.close();
      }
    });

    it('ends the connections of a pool, or all, on all workers, and counts those of one', async () => {
      const app = await start();
      const [ann, bob] = [await onEach(app, '?connectKey=ann'), await onEach(app, '?connectKey=bob')];
      // What it closed on the way is gone when only one of each is left.
      await expect.poll(async () => (await call(app, 'countAll')).result, { timeout: 20_000 }).toBe(2);
      expect(await call(app, 'count', 'ann')).toEqual({ result: 1 });
      expect(await call(app, 'count', 'nobody')).toEqual({ result: 0 });
      expect(await call(app, 'close', 'ann')).toEqual({ result: null });
      await Promise.all(ann.map((stream) => stream.over));
      await call(app, 'publishAll', 'still there');
      await hasHeard(bob, 'still there');
      await call(app, 'closeAll');
      await Promise.all(bob.map((stream) => stream.over));
      for (const stream of [...ann, ...bob]) expect(stream.ended).toBe(true);
      for (const _ of upTo(4)) expect(await call(app, 'countAll')).toEqual({ result: 0 });
    });

    it('publishes from the agent, and ends there what all workers have', async () => {
      const app = await start();
      const [ann, bob] = [await onEach(app, '?connectKey=ann'), await onEach(app, '?connectKey=bob')];
      const ask = (method: string, ...args: unknown[]) => postJson(`${app.url}/ask`, { method, args });
      await ask('publish', 'ann', 'for Ann');
      await ask('publishAll', ':aside');
      await ask('publishAll', 'to all');
      await hasHeard([...ann, ...bob], 'to all');
      for (const stream of ann) expect(dataOf(stream)).toEqual(['for Ann', 'to all']);
      for (const stream of bob) expect(dataOf(stream)).toEqual(['to all']);
      for (const stream of [...ann, ...bob]) expect(stream.comments).toEqual(['aside']);
      expect(new Set(ann.map(({ lastEventId }) => lastEventId)).size).toBe(1);
      await ask('close', 'ann');
      await Promise.all(ann.map((stream) => stream.over));
      await ask('closeAll');
      await Promise.all(bob.map((stream) => stream.over));
    });

    it('rejects what is none of its data or keys, and goes on', async () => {
      const app = await start();
      const [ann] = await onEach(app, '?connectKey=ann');
      for (const key of ['', null, {}]) {
        expect(await call(app, 'publish', key, 'x')).toMatchObject({ code: 'INVALID_USER_ID' });
        expect(await call(app, 'publish', key, ':x')).toMatchObject({ code: 'INVALID_USER_ID' });
        expect(await call(app, 'close', key)).toMatchObject({ code: 'INVALID_USER_ID' });
      }
      expect(await call(app, 'publish', 'ann', { hello: 'world' })).toMatchObject({ code: 'INVALID_OPTION' });
      expect(await call(app, 'publish', 'ann', { data: 'x', event: 'a\nb' })).toMatchObject({ code: 'INVALID_EVENT' });
      await call(app, 'publish', 'ann', 'good');
      expect(await ann?.received(1)).toMatchObject([{ data: 'good' }]);
      expect(app.output).toContain('INVALID_USER_ID');
    });
  });
}

describe('the Egg plugin', () => {
  it('publishes from a schedule, each time once', async () => {
    const app = await startEggApp({ ...sse({}), TICK: '1' });
    const streams = await onEach(app, '?connectKey=clock');
    await Promise.all(streams.map((stream) => stream.received(5)));
    const [one, two] = streams.map(dataOf);
    const [first = ''] = two ?? [];
    expect(one?.slice(one.indexOf(first)).slice(0, 3)).toEqual(two?.slice(0, 3));
    expect(new Set(one).size).toBe(one?.length);
  });

  it('works in an application of one process', async () => {
    const app = await startEggApp({ ...sse({}), WORKERS: '0' });
    const ann = await openStream(`${app.url}/stream?connectKey=ann`);
    await call(app, 'publish', 'ann', ':aside');
    await call(app, 'publish', 'ann', 'hello');
    await postJson(`${app.url}/ask`, { method: 'publishAll', args: ['from the agent'] });
    await hasHeard([ann], 'from the agent');
    expect(dataOf(ann)).toEqual(['hello', 'from the agent']);
    expect(ann.comments).toEqual(['aside']);
  });

  it('sends on one worker what every worker hears', async () => {
    const app = await startEggApp(sse({}));
    const streams = await onEach(app, '?connectKey=ann');
    await postJson(`${app.url}/tell`, { key: 'ann', data: 'told' });
    await postJson(`${app.url}/tell`, { key: 'ann', data: ':aside' });
    await call(app, 'publish', 'ann', 'end');
    await hasHeard(streams, 'end');
    for (const stream of streams) {
      expect(dataOf(stream)).toEqual(['told', 'end']);
      expect(stream.comments).toEqual(['aside']);
    }
  });

  it('refuses a key that is none, and what the application keeps out', async () => {
    const app = await startEggApp({ ...sse({ connectKey: 'topic' }), WORKERS: '1' });
    const bad = ['', '?topic=', '?connectKey=a', '?topic=a&topic=b', '?topic=%ff', '?topic=%zz', '?topic[]=a'];
    for (const query of bad) {
      const answer = await request(`${app.url}/stream${query}`);
      expect({ query, status: answer.status, text: answer.text }).toMatchObject({
        query,
        status: 400,
        text: expect.stringContaining('topic'),
      });
    }
    expect((await request(`${app.url}/stream?topic=a&forbidden`)).status).toBe(403);
    for (const key of ['__proto__', 'jürgen 🦊', 'a/b?c&d=+', '*']) {
      const stream = await openStream(`${app.url}/stream?topic=${encodeURIComponent(key)}`);
      await call(app, 'publish', key, 'hello');
      expect(await stream.received(1)).toMatchObject([{ data: 'hello' }]);
    }
    const shared = await startEggApp({ ...sse({}), WORKERS: '1' });
    for (const query of ['?connectKey=', '?connectKey=a&connectKey=b', '?connectKey=%E0%A4%A'])
      expect((await request(`${shared.url}/stream${query}`)).status).toBe(400);
  });

  it('takes its path, headers, limit and heartbeat from the configuration', async () => {
    const headers = { 'Access-Control-Allow-Origin': '*' };
    const app = await startEggApp({
      ...sse({ path: '/events', headers, maxClients: 1, pingInterval: 20, cacheKey: 'shared' }),
      WORKERS: '1',
    });
    const stream = await openStream(`${app.url}/events`);
    expect(stream.headers).toMatchObject({
      'content-type': 'text/event-stream; charset=utf-8',
      'access-control-allow-origin': '*',
    });
    await stream.until(({ comments }) => comments.length > 2);
    expect(new Set(stream.comments)).toEqual(new Set(['ping']));
    await call(app, 'publish', 'shared', 'hello');
    expect(await stream.received(1)).toMatchObject([{ data: 'hello' }]);
    const second = await openStream(`${app.url}/events`);
    await second.over;
    expect(second).toMatchObject({ status: 200, ended: true, events: [], retries: [expect.any(Number)] });
    expect((await request(`${app.url}/stream`)).status).toBe(404);
  });

  it('lets a worker begin only with options that are right', async () => {
    const failure = await startEggApp({ ...sse({ maxClients: -1 }), WORKERS: '1' }).catch(String);
    expect(failure).toContain('config.sse.maxClients is -1: expected an integer of at least 1.');
    expect(failure).toContain('SSEKifyError');
  });

  it('ends the streams of a worker that an uncaught exception cut off from the others', async () => {
    const app = await startEggApp(sse({}));
    const streams = await onEach(app, '?connectKey=ann');
    const crashed = (await postJson(`${app.url}/crash`, {})).headers['x-worker'];
    // Egg would let it live for 30 s more.
    atEnd(() => process.kill(Number(crashed), 'SIGKILL'));
    const deaf = streams.find((stream) => stream.headers['x-worker'] === crashed);
    const other = streams.find((stream) => stream !== deaf);
    await deaf?.event('server:shutdown');
    await deaf?.over;
    expect(deaf?.ended).toBe(true);
    await call(app, 'publish', 'ann', 'to who is left');
    const back = await openStream(`${app.url}/stream?connectKey=ann`);
    await call(app, 'publish', 'ann', 'to both');
    await hasHeard([back], 'to both');
    await other?.received(2);
    expect(other && dataOf(other)).toEqual(['to who is left', 'to both']);
  });

  it('tells its clients when the application ends, and leaves none behind', async () => {
    const app = await startEggApp(sse({}));
    const streams = await onEach(app);
    process.kill(Number(/master: (\d+)/.exec(app.output)?.[1]), 'SIGTERM');
    await Promise.all(streams.map((stream) => stream.event('server:shutdown')));
    await Promise.all(streams.map((stream) => stream.over));
    for (const stream of streams) expect(stream.ended).toBe(true);
    expect(await app.over).toEqual({ code: 0, signal: null });
  });
});
