import { runInNewContext } from 'node:vm';
import { expect, it } from 'vitest';
import { SSEKify, type SSEKifyOptions } from '../../src/index.js';
import { openStream } from '../helpers/client.js';
import { collect } from '../helpers/emitted.js';
import { serveHub } from '../helpers/server.js';

/** What clients get of these data, as text. */
async function received(hub: SSEKifyOptions, all: unknown[]): Promise<string[]> {
  const { sse, url, handle } = await serveHub({ hub });
  const client = await openStream(`${url}/ann`);
  await handle(0);
  for (const data of all) expect(sse.sendToUser('ann', data)).toBe(1);
  return (await client.received(all.length)).map(({ data }) => data);
}

const ISO = /^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$/;

it('adds an ISO timestamp to plain objects that lack one, by default', async () => {
  const [plain, bare, other, own] = await received({}, [
    { a: 1 },
    Object.assign(Object.create(null), { a: 2 }),
    runInNewContext('({ a: 3 })'),
    { timestamp: 'mine' },
  ]);
  for (const [index, text] of [plain, bare, other].entries()) {
    const data = JSON.parse(text ?? '');
    expect(Object.keys(data)).toEqual(['a', 'timestamp']);
    expect(data.a).toBe(index + 1);
    expect(data.timestamp).toMatch(ISO);
    expect(Math.abs(Date.parse(data.timestamp) - Date.now())).toBeLessThan(5000);
  }
  expect(own).toBe('{"timestamp":"mine"}');
});

it('adds epoch milliseconds, or nothing, when told so', async () => {
  const [text] = await received({ autoFields: { timestamp: 'epochMs' } }, [{}]);
  expect(Math.abs(JSON.parse(text ?? '').timestamp - Date.now())).toBeLessThan(5000);
  expect(await received({ autoFields: { timestamp: false } }, [{ a: 1 }])).toEqual(['{"a":1}']);
});

it('leaves everything that is no plain object as it is', async () => {
  class Point {
    x = 1;
    requestId = 'r';
  }
  const others = [
    [],
    [{ a: 1 }],
    new Date(0),
    new Map([[1, 2]]),
    new Set([1]),
    Buffer.from('ab'),
    new Uint8Array([1]),
    new Point(),
    Object.create({ a: 1 }),
    Object.create(new Point()),
    new Error('x'),
    /x/,
    new String('boxed'),
    null,
    true,
    0,
    '',
    'text',
    runInNewContext('[1]'),
    runInNewContext('new Date(0)'),
    runInNewContext('new (class A { a = 1 })()'),
  ];
  const all = await received({}, others);
  expect(all).toEqual(others.map((data) => JSON.stringify(data)));
});

it('never changes the object of the caller, frozen or not', async () => {
  const data = { requestId: 'r', nested: { a: [1] } };
  const copy = structuredClone(data);
  const frozen = Object.freeze({ requestId: 'r' });
  await received({ autoFields: { traceId: { mode: 'ifMissing', getter: () => 't' } } }, [data, frozen]);
  expect(data).toEqual(copy);
  expect(Object.keys(frozen)).toEqual(['requestId']);
});

it('keeps an own __proto__ as data, and pollutes nothing', async () => {
  const data = JSON.parse('{"__proto__": {"polluted": 1}, "constructor": {"prototype": {"polluted": 1}}, "a": 1}');
  const [text] = await received({ autoFields: { timestamp: false } }, [data]);
  expect(text).toBe('{"__proto__":{"polluted":1},"constructor":{"prototype":{"polluted":1}},"a":1}');
  expect(Reflect.get({}, 'polluted')).toBeUndefined();
});

it('fills a missing traceId and requestId from their getters, under their names', async () => {
  const hub: SSEKifyOptions = {
    enableSeq: false,
    autoFields: {
      timestamp: false,
      traceId: { mode: 'ifMissing', getter: ({ a }) => `t${a}`, fieldName: 'trace' },
      requestId: { mode: 'ifMissing', getter: () => 'r' },
    },
  };
  expect(await received(hub, [{ a: 1 }, { a: 2, trace: 'own', requestId: 'own' }, [1], 'x'])).toEqual([
    '{"a":1,"trace":"t1","requestId":"r"}',
    '{"a":2,"trace":"own","requestId":"own"}',
    '[1]',
    '"x"',
  ]);
});

it('adds nothing when a getter has nothing, or the mode is off', async () => {
  const nothing: SSEKifyOptions = {
    autoFields: {
      timestamp: false,
      traceId: { mode: 'ifMissing', getter: () => undefined },
      requestId: { mode: 'ifMissing' },
    },
  };
  expect(await received(nothing, [{ a: 1 }])).toEqual(['{"a":1}']);
  let asked = 0;
  const off: SSEKifyOptions = {
    autoFields: {
      timestamp: false,
      traceId: { getter: () => ++asked },
      requestId: { mode: 'off', getter: () => ++asked },
    },
  };
  expect(await received(off, [{ a: 1 }])).toEqual(['{"a":1}']);
  expect(asked).toBe(0);
});

it('asks a getter once per event, however many connections there are', async () => {
  let asked = 0;
  const { sse, url, handle } = await serveHub({
    hub: { autoFields: { traceId: { mode: 'ifMissing', getter: () => ++asked } } },
  });
  const clients = await Promise.all([1, 2, 3].map(() => openStream(`${url}/ann`)));
  await handle(2);
  expect(sse.sendToUser('ann', {})).toBe(3);
  await Promise.all(clients.map((client) => client.received(1)));
  expect(asked).toBe(1);
});

it('refuses data without a requestId where one is required', async () => {
  const sse = new SSEKify({ autoFields: { requestId: { mode: 'require' } } });
  const errors = collect(sse, 'error');
  expect(() => sse.sendToUser('ann', { a: 1 })).toThrow(expect.objectContaining({ code: 'REQUEST_ID_REQUIRED' }));
  await expect(sse.publish({ a: 1 })).rejects.toMatchObject({ code: 'REQUEST_ID_REQUIRED' });
  expect(sse.sendToUser('ann', { requestId: 'r' })).toBe(0);
  expect(sse.sendToUser('ann', 'no object')).toBe(0);
  expect(sse.stats().recentItems).toBe(2);
  expect(errors.map(({ code }) => code)).toEqual(['REQUEST_ID_REQUIRED']);
});

it('reports a getter that throws, and sends nothing', async () => {
  const { sse, url, handle } = await serveHub({
    hub: {
      autoFields: {
        traceId: {
          mode: 'ifMissing',
          getter: ({ bad }) => {
            if (bad === true) throw new Error('no trace');
            return 't';
          },
        },
      },
    },
  });
  const errors = collect(sse, 'error');
  const client = await openStream(`${url}/ann`);
  await handle(0);
  expect(sse.sendToUser('ann', { bad: true })).toBe(0);
  expect(sse.sendToUser('ann', { bad: false })).toBe(1);
  expect(JSON.parse((await client.received(1))[0]?.data ?? '')).toMatchObject({ bad: false, traceId: 't' });
  expect(errors).toMatchObject([{ code: 'STAMP_FAILED' }]);
});

it.each([
  ['kept', async () => 'late'],
  ['broken', () => Promise.reject(new Error('mine'))],
])('reports a getter that gives a promise which is %s, and sends nothing', (_which, getter) => {
  for (const name of ['traceId', 'requestId'] as const) {
    const sse = new SSEKify({ autoFields: { [name]: { mode: 'ifMissing', getter } } });
    const errors = collect(sse, 'error');
    sse.sendToUser('ann', { a: 1 });
    expect(errors).toMatchObject([
      { code: 'STAMP_FAILED', message: expect.stringMatching(`${name}\\.getter.*promise`) },
    ]);
    expect(sse.stats().recentItems).toBe(0);
  }
});
