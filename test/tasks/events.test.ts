import { expect, it } from 'vitest';
import { SSEKify, type SSEKifyError, type TaskOptions } from '../../src/index.js';
import { runScript } from '../helpers/child.js';
import { openStream, type StreamReader } from '../helpers/client.js';
import { collect } from '../helpers/emitted.js';
import { MemoryBus } from '../helpers/memory-bus.js';
import { endWithTest, serveHub } from '../helpers/server.js';

/** The data of a client's `notify` events. */
const told = ({ events }: StreamReader) =>
  events.filter(({ event }) => event === 'notify').map(({ data }) => JSON.parse(data));
const isOver = (client: StreamReader) => told(client).some(({ phase }) => phase !== 'progress');

/** A hub without automatic timestamps, and a client of it. */
async function withClient(hub: ConstructorParameters<typeof SSEKify>[0] = {}) {
  const served = await serveHub({ hub: { autoFields: { timestamp: false }, ...hub } });
  collect(served.sse, 'error');
  return { ...served, client: await openStream(`${served.url}/ann`) };
}

it('tells progress and the end in order, each with its number', async () => {
  const { sse, client } = await withClient();
  const task = sse.task('ann', { requestId: 'r1' });
  expect(task).toMatchObject({ requestId: 'r1', userId: 'ann', ended: false });
  await task.progress('a', { type: 'token' });
  await task.progress({ event: 'ping', phase: 'done' });
  await task.progress(undefined);
  await task.done({ total: 2 });
  await client.until(isOver);
  const common = { requestId: 'r1', phase: 'progress', event: 'progress' };
  expect(told(client)).toEqual([
    { ...common, type: 'token', payload: 'a', seq: 0 },
    { ...common, payload: { event: 'ping', phase: 'done' }, seq: 1 },
    { ...common, seq: 2 },
    { ...common, phase: 'done', event: 'done', payload: { total: 2 }, seq: 3 },
  ]);
  expect(task.ended).toBe(true);
  expect(task.signal.aborted).toBe(true);
});

it('publishes in call order when nobody awaits, under the name it is told', async () => {
  const { sse, client } = await withClient();
  const task = sse.task('ann', { requestId: 'r1', event: 'chat' });
  for (let n = 0; n < 50; n += 1) task.progress(n);
  task.done();
  await client.until(({ events }) => events.some(({ data }) => data.includes('"done"')));
  expect(client.events.map(({ event }) => event)).toEqual(Array.from({ length: 51 }, () => 'chat'));
  expect(client.events.slice(0, 50).map(({ data }) => JSON.parse(data).payload)).toEqual([...Array(50).keys()]);
});

it.each([
  ['done, then error', ['done', 'error'], 'done'],
  ['error, then done', ['error', 'done'], 'error'],
  ['done twice', ['done', 'done'], 'done'],
  ['error twice', ['error', 'error'], 'error'],
] as const)('ends once: %s', async (_, calls, phase) => {
  const { sse, client } = await withClient();
  const task = sse.task('ann', { requestId: 'r1' });
  await Promise.all(calls.map((call, n) => task[call](`${n}`)));
  await expect(task.progress('late')).rejects.toMatchObject({ code: 'TASK_ENDED' });
  await expect(task.pipe(['late'])).resolves.toBeUndefined();
  sse.sendToUser('ann', 'after', { event: 'after' });
  await client.event('after');
  expect(told(client).map((data) => data.phase)).toEqual([phase]);
  expect(JSON.stringify(told(client))).toContain('"0"');
});

it('ends once also when what listens to the hub ends it again', async () => {
  const { sse, client } = await withClient();
  const task = sse.task('ann', { requestId: 'r1' });
  sse.on('message-sent', () => task.error('again'));
  task.signal.addEventListener('abort', () => task.done('again'));
  await task.done('first');
  sse.sendToUser('ann', 'after', { event: 'after' });
  await client.event('after');
  expect(told(client)).toMatchObject([{ phase: 'done', payload: 'first' }]);
});

const failing = (name: string) =>
  Object.defineProperty({}, name, {
    get() {
      throw new Error('the getter failed');
    },
  });
const revoked = Proxy.revocable({}, {});
revoked.revoke();

it.each<[string, unknown, object]>([
  ['an Error', new TypeError('no luck'), { message: 'no luck' }],
  ['one with a code', Object.assign(new Error('no luck'), { code: 'E_LUCK' }), { message: 'no luck', code: 'E_LUCK' }],
  ['one with a code that is a number', Object.assign(new Error('no luck'), { code: 7 }), { message: 'no luck' }],
  ['one with a cause', new Error('no luck', { cause: new Error('secret') }), { message: 'no luck' }],
  ['a string', 'no luck', { message: 'no luck' }],
  ['an Error without a message', new Error(), { message: 'the task failed' }],
  ['undefined', undefined, { message: 'the task failed' }],
  ['null', null, { message: 'the task failed' }],
  ['a number', 7, { message: 'the task failed' }],
  ['a symbol', Symbol('secret'), { message: 'the task failed' }],
  ['a function', () => 'secret', { message: 'the task failed' }],
  ['an array', ['secret'], { message: 'the task failed' }],
  ['a message that is an object', { message: { secret: 1 }, stack: 'secret' }, { message: 'the task failed' }],
  ['a getter that throws', failing('message'), { message: 'the task failed' }],
  ['a revoked proxy', revoked.proxy, { message: 'the task failed' }],
  ['a message that is too large', 'x'.repeat(5000), { message: 'the task failed' }],
])('tells what a client may know of %s', async (_, error, failure) => {
  const { sse, client } = await withClient({ maxPayloadBytes: 1000 });
  await sse.task('ann', { requestId: 'r1' }).error(error);
  await client.until(isOver);
  expect(told(client)).toEqual([{ requestId: 'r1', phase: 'error', event: 'error', error: failure, seq: 0 }]);
  expect(client.raw).not.toMatch(/secret|stack|\.ts/);
});

const cyclic: Record<string, unknown> = {};
cyclic.self = cyclic;

it('ends a pipe with one error when an item cannot be sent, and closes what it read from', async () => {
  const { sse, client } = await withClient();
  let closed = 0;
  async function* items() {
    try {
      yield 'fine';
      yield cyclic;
      yield 'never';
    } finally {
      closed += 1;
    }
  }
  const task = sse.task('ann', { requestId: 'r1' });
  await task.pipe(items());
  await client.until(isOver);
  expect(told(client)).toMatchObject([
    { phase: 'progress', payload: 'fine', seq: 0 },
    { phase: 'error', error: { code: 'NOT_SERIALIZABLE' }, seq: 1 },
  ]);
  expect({ closed, ended: task.ended }).toEqual({ closed: 1, ended: true });
});

it('tells of a result that cannot be sent as an error, and rejects', async () => {
  const { sse, client } = await withClient();
  const task = sse.task('ann', { requestId: 'r1' });
  await expect(task.done(cyclic)).rejects.toMatchObject({ code: 'NOT_SERIALIZABLE' });
  await client.until(isOver);
  expect(told(client)).toMatchObject([{ phase: 'error', error: { code: 'NOT_SERIALIZABLE' } }]);
});

it('tells no second end when the channel refuses the first', async () => {
  const redis = new MemoryBus().adapter();
  const { sse, client } = await withClient({ redis });
  await sse.ready();
  const task = sse.task('ann', { requestId: 'r1' });
  redis.refusal = new Error('full');
  await expect(task.done()).rejects.toMatchObject({ code: 'PUBLISH_REFUSED', delivered: 1 });
  const failing = sse.task('ann', { requestId: 'r2' });
  await expect(failing.pipe([Promise.reject(new Error('late'))])).rejects.toMatchObject({ code: 'PUBLISH_REFUSED' });
  sse.sendToUser('ann', 'after', { event: 'after' });
  await client.event('after');
  expect(told(client)).toMatchObject([{ phase: 'done' }, { phase: 'error', error: { message: 'late' } }]);
});

it('lets a progress that cannot be sent reject alone: the task goes on', async () => {
  const { sse, client } = await withClient();
  const task = sse.task('ann', { requestId: 'r1' });
  await expect(task.progress(cyclic)).rejects.toMatchObject({ code: 'NOT_SERIALIZABLE' });
  await task.done();
  await client.until(isOver);
  expect(told(client)).toMatchObject([{ phase: 'done', seq: 0 }]);
});

function refusalOf(options: unknown, sse = new SSEKify()): SSEKifyError {
  endWithTest(sse);
  try {
    sse.task('ann', options as TaskOptions);
  } catch (error) {
    return error as SSEKifyError;
  }
  throw new Error('it was taken');
}

it.each<[unknown, string, RegExp]>([
  [undefined, 'INVALID_OPTION', /^options is undefined/],
  ['r1', 'INVALID_OPTION', /^options is "r1"/],
  [{}, 'INVALID_OPTION', /requestId is undefined/],
  [{ requestId: '' }, 'INVALID_OPTION', /requestId is ""/],
  [{ requestId: 7 }, 'INVALID_OPTION', /requestId is 7/],
  [{ requestId: 'r1', event: 'a\nb' }, 'INVALID_EVENT', /event/],
  [{ requestId: 'r1', event: 7 }, 'INVALID_OPTION', /event is 7/],
  [{ requestId: 'r1', whenGone: 'wait' }, 'INVALID_OPTION', /whenGone is "wait"/],
  [{ requestId: 'r1', goneAfterMs: -1 }, 'INVALID_OPTION', /goneAfterMs is -1/],
  [{ requestId: 'r1', goneAfterMs: Number.NaN }, 'INVALID_OPTION', /goneAfterMs is NaN/],
  [{ requestId: 'r1', gone: 1 }, 'INVALID_OPTION', /"gone"/],
])('refuses the options %j', (options, code, message) => {
  const error = refusalOf(options);
  expect(error.code).toBe(code);
  expect(error.message).toMatch(message);
});

it('refuses an unusable user, an unknown option of a piece, and what is no iterable', async () => {
  const { sse, client } = await withClient();
  expect(() => sse.task('', { requestId: 'r1' })).toThrow(expect.objectContaining({ code: 'INVALID_USER_ID' }));
  expect(sse.task(42, { requestId: 'r1' }).userId).toBe('42');
  const task = sse.task('ann', { requestId: 'r1' });
  const refused = expect.objectContaining({ code: 'INVALID_OPTION' });
  await expect(task.progress('a', { kind: 'b' } as object)).rejects.toEqual(refused);
  await expect(task.progress('a', { type: 7 } as object)).rejects.toEqual(refused);
  for (const items of [undefined, null, 7, {}, () => []]) {
    await expect(task.pipe(items as unknown as string[])).rejects.toEqual(refused);
  }
  await task.done();
  await client.until(isOver);
  expect(told(client)).toMatchObject([{ phase: 'done' }]);
});

it('ends no process by what nobody awaits, and lets it exit after a shutdown in the middle of tasks', async () => {
  const { code, stdout, stderr } = await runScript(`
    import { SSEKify } from 'ssekify';
    const sse = new SSEKify();
    sse.on('error', () => {});
    const over = sse.task('ann', { requestId: 'r1' });
    over.done(1n);
    over.progress('late');
    over.pipe(7);
    const silent = sse.task('ann', { requestId: 'r2' });
    async function* never() { await new Promise(() => {}); }
    const piped = silent.pipe(never());
    const timer = setInterval(() => {}, 1000);
    silent.signal.addEventListener('abort', () => clearInterval(timer));
    await sse.shutdown();
    await piped;
    const late = sse.task('ann', { requestId: 'r3' });
    late.progress('x');
    await late.pipe(never());
    console.log(silent.ended, late.ended, late.signal.aborted);
  `);
  expect({ code, stdout, stderr }).toEqual({ code: 0, stdout: 'true true true\n', stderr: '' });
});
