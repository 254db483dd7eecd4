import { expect, it } from 'vitest';
import { SSEKify, SSEKifyError } from '../../src/index.js';
import { openStream } from '../helpers/client.js';
import { endWithTest, serve, serveHub } from '../helpers/server.js';

const NO_INTEGER = [-1, 0.5, Number.NaN, Number.POSITIVE_INFINITY, '5', null, true, 5n];
const WRONG: [name: string, values: unknown[]][] = [
  ...['keepAliveMs', 'retryMs', 'stallTimeoutMs'].map((name): [string, unknown[]] => [name, [...NO_INTEGER, 2 ** 31]]),
  ['maxLifetimeMs', [...NO_INTEGER, 0, 2 ** 31]],
  ['maxQueueItems', NO_INTEGER],
  ['maxQueueBytes', NO_INTEGER],
  ['dropPolicy', ['', 'none', null, 5]],
  ['keepAliveEvent', [null, 'ping', {}, { event: '' }, { event: 'a\n', data: 1 }, { event: 'a', data: 1, id: 2 }]],
  ['rooms', ['a', 5, null, {}]],
  ['headers', [null, 5, [], new Map()]],
  ['lastEventId', [null, true, {}, [], 5n]],
  ['signal', [null, true, {}, new AbortController()]],
  ['unknown', [1]],
  ['room', ['a']],
];

it('refuses wrong options of registerConnection, and leaves the response to the application', async () => {
  let sse: SSEKify | undefined;
  const refusals: unknown[] = [];
  const hub = await serveHub();
  sse = hub.sse;
  const cases = WRONG.flatMap(([name, values]) => values.map((value) => ({ name, options: { [name]: value } })));
  const all = [
    ...cases,
    { name: 'options', options: null },
    { name: 'options', options: 'x' },
    { name: 'options', options: [] },
  ];
  const { url } = await serve((_req, res) => {
    for (const { name, options } of all) {
      try {
        sse?.registerConnection('ann', res, options as object);
        refusals.push(`took ${name}`);
      } catch (error) {
        if (!(error instanceof SSEKifyError)) throw error;
        if (error.code !== 'INVALID_OPTION' || !error.message.includes(name))
          refusals.push(`${name}: ${error.message}`);
      }
    }
    res.setHeader('X-Mine', 'yes').end('mine');
  });
  const answer = await fetch(url);
  expect(answer.headers.get('x-mine')).toBe('yes');
  expect(answer.headers.get('content-type')).toBeNull();
  expect(await answer.text()).toBe('mine');
  expect(refusals).toEqual([]);
  expect(sse.stats()).toMatchObject({ connections: 0, users: 0, rooms: 0 });
});

it('refuses rooms, headers, positions and heartbeats it cannot use, each with its code', async () => {
  const { sse } = await serveHub();
  const codes: unknown[] = [];
  const { url } = await serve((_req, res) => {
    for (const options of [
      { rooms: [''] },
      { rooms: ['a', null] },
      { rooms: new Array(2) },
      { headers: { 'a b': 'c' } },
      { headers: { a: 'b\nc' } },
      { lastEventId: Number.NaN },
      { keepAliveEvent: { event: 'e', data: 1n } },
    ]) {
      try {
        sse.registerConnection('ann', res, options as object);
      } catch (error) {
        codes.push(error instanceof SSEKifyError && error.code);
      }
    }
    res.end('mine');
  });
  expect(await (await fetch(url)).text()).toBe('mine');
  expect(codes).toEqual([
    'INVALID_ROOM',
    'INVALID_ROOM',
    'INVALID_ROOM',
    'INVALID_HEADER',
    'INVALID_HEADER',
    'INVALID_ID',
    'NOT_SERIALIZABLE',
  ]);
  expect(sse.stats().connections).toBe(0);
});

it('takes undefined as the default in every option of registerConnection, send, join and shutdown', async () => {
  const names = WRONG.map(([name]) => name).filter((name) => name !== 'unknown' && name !== 'room');
  const { sse, url, handle } = await serveHub({
    register: Object.fromEntries(names.map((name) => [name, undefined])),
    hub: { connection: { retryMs: 77 } },
  });
  const client = await openStream(`${url}/ann`);
  const ann = await handle(0);
  expect(ann.join('r', { replay: undefined })).toBe(true);
  sse.sendToUser('ann', 1, { event: undefined, id: undefined, retry: undefined, text: undefined });
  expect(ann.send(2, undefined)).toBe(true);
  expect((await client.received(2)).map(({ data }) => data)).toEqual(['1', '2']);
  expect(client.retries).toEqual([77]);
  await sse.shutdown({ announce: undefined, event: undefined, graceMs: undefined });
  await client.event('server:shutdown');
});

it('takes options that an object inherits, or computes, like any others', async () => {
  class Base {
    get retryMs() {
      return 77;
    }
  }
  const sse = new SSEKify({ connection: Object.create({ retryMs: 55 }) });
  endWithTest(sse);
  const { url } = await serve((req, res) => {
    sse.registerConnection('ann', res, req.url === '/own' ? new Base() : undefined);
  });
  for (const [path, retryMs] of [
    ['/own', 77],
    ['/hub', 55],
  ]) {
    const client = await openStream(`${url}${path}`);
    await client.until(({ retries }) => retries.length === 1);
    expect(client.retries).toEqual([retryMs]);
  }
});

it('refuses wrong options of shutdown before anything happens', async () => {
  const { sse, url, handle } = await serveHub();
  await openStream(`${url}/ann`);
  await handle(0);
  const wrong: [string, unknown][] = [
    ['graceMs', -1],
    ['graceMs', 2 ** 31],
    ['graceMs', '5'],
    ['announce', 'no'],
    ['grace', 5],
    ['options', null],
    ['options', 5000],
  ];
  for (const [name, value] of wrong) {
    const options = name === 'options' ? value : { [name]: value };
    const refusal = await Promise.resolve()
      .then(() => sse.shutdown(options as object))
      .catch((error: unknown) => error);
    expect(refusal).toMatchObject({ code: 'INVALID_OPTION', message: expect.stringContaining(name) });
  }
  const event = await Promise.resolve()
    .then(() => sse.shutdown({ event: 'a\nb' }))
    .catch((error: unknown) => error);
  expect(event).toMatchObject({ code: 'INVALID_EVENT' });
  expect(sse.stats()).toMatchObject({ connections: 1, draining: false });
});

const UNUSABLE = [
  '',
  null,
  undefined,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  true,
  {},
  [],
  ['ann'],
  () => 'ann',
  Symbol('ann'),
  5n,
  new String('ann'),
];

it('refuses an unusable user id or room everywhere, and never broadcasts for it', async () => {
  const { sse, url, handle } = await serveHub();
  sse.on('error', () => undefined);
  const client = await openStream(`${url}/ann`);
  const ann = await handle(0);
  for (const bad of UNUSABLE as string[]) {
    const user = expect.objectContaining({ code: 'INVALID_USER_ID' });
    const room = expect.objectContaining({ code: 'INVALID_ROOM' });
    expect(() => sse.sendToUser(bad, 1)).toThrow(user);
    expect(() => sse.sendToRoom(bad, 1)).toThrow(room);
    expect(() => sse.close(bad)).toThrow(user);
    expect(() => sse.clearRecent(bad)).toThrow(user);
    expect(() => ann.join(bad)).toThrow(room);
    expect(() => ann.leave(bad)).toThrow(room);
    await expect(sse.publishToUser(bad, 1)).rejects.toEqual(user);
    await expect(sse.publishToRoom(bad, 1)).rejects.toEqual(room);
    if (bad !== undefined) await expect(sse.publish(1, bad)).rejects.toEqual(user);
    expect(sse.getUserConnectionCount(bad)).toBe(0);
    expect(sse.getUserConnectionIds(bad)).toEqual([]);
    expect(sse.isUserOnline(bad)).toBe(false);
    expect(sse.getRoomConnectionCount(bad)).toBe(0);
  }
  ann.send('end');
  await client.received(1);
  expect(client.events).toHaveLength(1);
  expect(sse.stats()).toMatchObject({ connections: 1, recentItems: 0 });
});

it('throws errors that show in a log what they carry, and nothing else', () => {
  const error = new SSEKifyError('INVALID_USER_ID', 'no such user', { level: undefined });
  expect(Object.keys(error).sort()).toEqual(['code', 'name']);
  const failed = new SSEKifyError('PUBLISH_REFUSED', 'not taken', { id: 'a', outcome: 'refused', delivered: 0 });
  expect(Object.keys(failed).sort()).toEqual(['code', 'delivered', 'id', 'name', 'outcome']);
  expect([error, failed].some((each) => Object.hasOwn(each, 'cause'))).toBe(false);
});
