import { readFileSync } from 'node:fs';
import { createRequire, Module } from 'node:module';
import { Redis } from 'ioredis';
import { expect, it } from 'vitest';
import {
  createIORedisAdapter,
  createRedisStreamAdapter,
  SSEKify,
  SSEKifyError,
  type SSEKifyErrorCode,
  type SSEKifyOptions,
} from '../../src/index.js';
import { collectMetrics } from '../../src/prometheus/index.js';
import { atEnd } from '../helpers/cleanup.js';
import { openStream } from '../helpers/client.js';
import { collect } from '../helpers/emitted.js';
import { type MemoryAdapter, MemoryBus } from '../helpers/memory-bus.js';
import { freePort } from '../helpers/redis.js';
import { serveHub } from '../helpers/server.js';
import { codeIn, ROOT, readDocument, Tables } from './markdown.js';

function newHub(options?: SSEKifyOptions): SSEKify {
  const sse = new SSEKify(options);
  atEnd(() => sse.shutdown({ graceMs: 0 }));
  return sse;
}

/** What a call throws. */
function thrown(call: () => unknown): unknown {
  try {
    call();
  } catch (error) {
    return error;
  }
  throw new Error('it did not throw');
}

/** What `'error'` tells of a send that gave 0. */
function reported(data: unknown, options?: SSEKifyOptions): unknown {
  const sse = newHub(options);
  const errors = collect(sse, 'error');
  expect(sse.sendToAll(data)).toBe(0);
  expect(errors).toHaveLength(1);
  expect(sse.stats().errorCount).toBe(1);
  return errors[0];
}

/** A hub on a channel, subscribed, and its adapter with its faults. */
async function onChannel(): Promise<{ sse: SSEKify; bus: MemoryBus; adapter: MemoryAdapter }> {
  const bus = new MemoryBus();
  const adapter = bus.adapter();
  const sse = newHub({ redis: adapter });
  await sse.ready();
  return { sse, bus, adapter };
}

/** What `'error'` tells first. */
function told(sse: SSEKify): Promise<SSEKifyError> {
  return new Promise((resolve) => sse.once('error', resolve));
}

/** What a publish rejects with that the adapter refuses with this error. */
async function rejection(refusal: Error): Promise<unknown> {
  const { sse, adapter } = await onChannel();
  sse.on('error', () => undefined);
  adapter.refusal = refusal;
  return sse.publishToUser('ann', 'x').catch((error: unknown) => error);
}

/** Something that is not what the types ask for, as it comes from JavaScript. */
const wrong = (value: unknown) => value as never;

/** A hub in lossless mode; its Redis need not be there. */
function losslessHub(): SSEKify {
  const sse = newHub({ redis: createRedisStreamAdapter('redis://127.0.0.1:1') });
  sse.on('error', () => undefined);
  return sse;
}

/** Each code from a real call. */
const CASES: Readonly<Record<SSEKifyErrorCode, () => unknown>> = {
  INVALID_OPTION: () => thrown(() => new SSEKify(wrong({ keepAlive: 1000 }))),
  INVALID_USER_ID: () => thrown(() => newHub().sendToUser('', 'nobody')),
  INVALID_ROOM: () => thrown(() => newHub().sendToRoom(Number.NaN, 'nobody')),
  INVALID_EVENT: () => thrown(() => newHub().sendToAll('x', { event: 'a\ndata: b' })),
  INVALID_ID: () => thrown(() => newHub().sendToAll('x', { id: ' 1' })),
  INVALID_RETRY: () => thrown(() => newHub().sendToAll('x', { retry: -1 })),
  INVALID_TEXT: () => thrown(() => newHub().sendToAll({ not: 'text' }, { text: true })),
  INVALID_RESPONSE: () => thrown(() => newHub().registerConnection('ann', wrong({ json: () => undefined }))),
  async INVALID_HEADER() {
    let error: unknown;
    let sse: SSEKify | undefined;
    const { url } = await serveHub({
      before: (_, res) => {
        sse ??= newHub();
        const hub = sse;
        error = thrown(() => hub.registerConnection('ann', res, { headers: { 'X-Own': 'a\r\nb' } }));
      },
    });
    // The response was usable afterwards: the other hub made it a stream.
    expect((await openStream(`${url}/ann`)).status).toBe(200);
    return error;
  },
  NOT_SERIALIZABLE: () => reported({ big: 1n }),
  PAYLOAD_TOO_LARGE: () => reported('four', { maxPayloadBytes: 5 }),
  REQUEST_ID_REQUIRED: () =>
    thrown(() => newHub({ autoFields: { requestId: { mode: 'require' } } }).sendToAll({ text: 'hi' })),
  STAMP_FAILED: () =>
    reported('x', {
      seq: {
        frameIdPolicy: () => {
          throw new Error('no id today');
        },
      },
    }),
  async TASK_ENDED() {
    const task = newHub().task('ann', { requestId: 'r1' });
    await task.done();
    return task.progress('too late').catch((error: unknown) => error);
  },
  UNSUPPORTED: () => thrown(() => losslessHub().clearRecent()),
  async LISTENER_FAILED() {
    const sse = newHub();
    const errors = collect(sse, 'error');
    sse.on('publish', () => {
      throw new Error('a bug of the listener');
    });
    expect(await sse.publish('delivered all the same')).toMatchObject({ id: expect.any(String) });
    return errors[0];
  },
  async SEQ_KV_FALLBACK() {
    const { sse } = await onChannel();
    const error = told(sse);
    await sse.publishToAll({ streamId: 'key' });
    expect(await error).toMatchObject({ level: 'warn', message: 'seq_kv_unavailable_fallback_memory' });
    return error;
  },
  async SHUTDOWN() {
    const sse = newHub();
    sse.on('error', () => undefined);
    await sse.shutdown();
    return sse.publish('too late').catch((error: unknown) => error);
  },
  REDIS_CLIENT_MISSING() {
    // As a client does that is of another version than those that are supported.
    const client = Object.assign(new Redis({ lazyConnect: true }), { duplicate: () => ({}) });
    return thrown(() => createIORedisAdapter(client));
  },
  PEER_MISSING() {
    // As another package does that goes by this name.
    const require = createRequire(import.meta.url);
    const file = require.resolve('prom-client');
    require.cache[file] = Object.assign(new Module(file), { loaded: true, exports: {} });
    atEnd(() => {
      delete require.cache[file];
    });
    return thrown(() => collectMetrics(newHub()));
  },
  async BUS_ERROR() {
    const sse = newHub({ redis: `redis://127.0.0.1:${await freePort()}` });
    const error = await told(sse);
    expect(error.cause).toMatchObject({ code: 'ECONNREFUSED' });
    return error;
  },
  async BUS_DOWN() {
    const { sse, adapter } = await onChannel();
    const error = told(sse);
    adapter.tell('down');
    expect(sse.stats().bus.state).toBe('down');
    expect(await error).toMatchObject({ level: 'warn' });
    return error;
  },
  async ECHO_LOST() {
    const { sse, adapter } = await onChannel();
    const error = told(sse);
    adapter.losesEchoes = true;
    await sse.publishToAll('it does not come back');
    expect(await error).toMatchObject({ level: 'warn' });
    return error;
  },
  async INVALID_ENVELOPE() {
    const { sse, bus } = await onChannel();
    const error = told(sse);
    bus.publish('ssekify:bus', '{"type":"everybody","data":1}');
    return error;
  },
  async PUBLISH_REFUSED() {
    const error = await rejection(new Error('OOM command not allowed'));
    expect(error).toMatchObject({ id: expect.any(String), outcome: 'refused', delivered: 0 });
    return error;
  },
  async PUBLISH_UNANSWERED() {
    const error = await rejection(Object.assign(new Error('connection lost'), { outcome: 'unknown' }));
    expect(error).toMatchObject({ id: expect.any(String), outcome: 'unknown', delivered: 0 });
    return error;
  },
};

it.each(Object.entries(CASES))('%s is what a real call gives', async (code, call) => {
  const error = await call();
  expect(error).toBeInstanceOf(SSEKifyError);
  expect(error).toMatchObject({ name: 'SSEKifyError', code, message: expect.stringMatching(/\S{3}/) });
});

it('rejects with the codes that sendTo* throws or reports', async () => {
  const sse = newHub({ maxPayloadBytes: 5 });
  const errors = collect(sse, 'error');
  const codes: unknown[] = [];
  for (const call of [
    () => sse.publish('x', ''),
    () => sse.publishToRoom('', 'x'),
    () => sse.publish(undefined),
    () => sse.publishToAll('four'),
  ]) {
    codes.push(await call().catch((error: SSEKifyError) => error.code));
  }
  expect(codes).toEqual(['INVALID_USER_ID', 'INVALID_ROOM', 'NOT_SERIALIZABLE', 'PAYLOAD_TOO_LARGE']);
  expect(errors.map(({ code }) => code)).toEqual(codes);
});

it('has a row in the documentation for each code, a code for each row, and a call for each', () => {
  const source = readFileSync(`${ROOT}src/errors.ts`, 'utf8');
  const union = /export type SSEKifyErrorCode =([^;]+);/.exec(source)?.[1] ?? '';
  const codes = [...union.matchAll(/'(\w+)'/g)].map((match) => match[1]);
  expect(codes.length).toBeGreaterThan(15);
  const rows = new Tables([readDocument('docs/errors.md')]).headed('Code');
  expect(rows.map(([code]) => codeIn(code)[0])).toEqual(codes);
  for (const cells of rows) expect(cells.every((cell) => cell !== '')).toBe(true);
  expect(Object.keys(CASES).sort()).toEqual([...codes].sort());
});
