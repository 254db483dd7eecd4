import fc from 'fast-check';
import { expect, it } from 'vitest';
import type { Envelope, SSEKifyOptions } from '../../src/index.js';
import { openStream } from '../helpers/client.js';
import { collect } from '../helpers/emitted.js';
import { MemoryBus } from '../helpers/memory-bus.js';
import { startRedis } from '../helpers/redis.js';
import { serveHub } from '../helpers/server.js';

const CHANNEL = 'ssekify:bus';

async function receiver(options: SSEKifyOptions = {}, path = 'ann?rooms=r,7') {
  const bus = new MemoryBus();
  const { sse, url, handle } = await serveHub({ hub: { ...options, redis: bus.adapter() } });
  await sse.ready();
  const errors = collect(sse, 'error');
  const ann = await openStream(`${url}/${path}`);
  await handle(0);
  return { bus, sse, url, errors, ann, send: (message: string) => bus.publish(CHANNEL, message) };
}

const good = '{"type":"user","target":"ann","event":"end","data":"end"}';
const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;

const bad: [string, string][] = [
  ['no JSON', 'nonsense'],
  ['nothing', ''],
  ['half of it', '{"type":"all","data":1'],
  ['more behind it', '{"type":"all","data":1}}'],
  ['a comma too many', '{,"data":1}'],
  ['two values', '{"type":"all","data":1} {"type":"all","data":1}'],
  ['foreign white space', '{"type":"all",\u00a0"data":\u00a01}'],
  ['an array', '[{"type":"all","data":1}]'],
  ['a string', '"all"'],
  ['null', 'null'],
  ['a number', '5'],
  ['no type', '{"data":1}'],
  ['an unknown type', '{"type":"ALL","data":1}'],
  ['a type of the prototype', '{"type":"__proto__","data":1}'],
  ['fields of the prototype alone', '{"__proto__":{"type":"all","data":1}}'],
  ['no data', '{"type":"all"}'],
  ['no target', '{"type":"user","data":1}'],
  ['an empty target', '{"type":"user","target":"","data":1}'],
  ['null for a target', '{"type":"room","target":null,"data":1}'],
  ['an object for a target', '{"type":"user","target":{},"data":1}'],
  ['true for a target', '{"type":"user","target":true,"data":1}'],
  ['an event with a line break', '{"type":"all","event":"a\\nid: 1","data":1}'],
  ['an event with NUL', '{"type":"all","event":"a\\u0000","data":1}'],
  ['a number for an event', '{"type":"all","event":1,"data":1}'],
  ['an id with a line break', '{"type":"all","id":"a\\r","data":1}'],
  ['an id with a space at its edge', '{"type":"all","id":" a","data":1}'],
  ['an id too long', `{"type":"all","id":"${'x'.repeat(1025)}","data":1}`],
  ['an object for an id', '{"type":"all","id":{},"data":1}'],
  ['a negative retry', '{"type":"all","retry":-1,"data":1}'],
  ['a broken retry', '{"type":"all","retry":1.5,"data":1}'],
  ['a huge retry', '{"type":"all","retry":2147483648,"data":1}'],
  ['text for a retry', '{"type":"all","retry":"1","data":1}'],
  ['another version', '{"v":2,"type":"all","data":1}'],
  ['text for a version', '{"v":"1","type":"all","data":1}'],
  ['a huge n', `{"n":"${'x'.repeat(257)}","type":"all","data":1}`],
  ['an empty n', '{"n":"","type":"all","data":1}'],
  ['a number for n', '{"n":1,"type":"all","data":1}'],
  ['a number for text', '{"type":"all","text":1}'],
  ['too much data', `{"type":"all","data":"${'x'.repeat(2000)}"}`],
  ['too much text', `{"type":"all","text":"${'\u20ac'.repeat(400)}"}`],
  ['too much of everything', `{"type":"all","x":"${'x'.repeat(100_000)}","data":1}`],
  ['data too deep', `{"type":"all","data":${deep(600)}}`],
  ['data much too deep', `{"type":"all","data":${deep(10_000)}}`],
  ['other fields too deep', `{"x":${deep(10_000)},"type":"all","data":1}`],
  ['brackets without end', `{"type":"all","data":${'['.repeat(20_000)}`],
  ['a close without target', '{"type":"close"}'],
  ['a close with a bad reason', '{"type":"close","target":"ann","reason":5}'],
  ['a join without room', '{"type":"join","target":"ann"}'],
  ['a leave with an empty room', '{"type":"leave","target":"ann","room":""}'],
  ['a room that is an array', '{"type":"join","target":"ann","room":["r"]}'],
];

it.each(bad)('drops %s, counts it, tells of it once, and delivers what comes next', async (_, message) => {
  const { send, ann, errors, sse } = await receiver({ maxPayloadBytes: 1000 });
  send(message);
  send(good);
  await ann.event('end');
  expect(ann.events).toHaveLength(1);
  expect(errors).toMatchObject([{ name: 'SSEKifyError', code: 'INVALID_ENVELOPE' }]);
  expect(sse.stats().bus).toMatchObject({ received: 2, invalid: 1 });
  expect(sse.stats().errorCount).toBe(1);
});

it.each([
  ['{"type":"user","data":1}', 'target is undefined: expected a non-empty string or a finite number'],
  ['{"type":"room","target":"","data":1}', 'target is "": expected a non-empty string or a finite number'],
  ['{"type":"close","target":null}', 'target is null: expected a non-empty string or a finite number'],
  ['{"type":"join","target":"ann"}', 'room is undefined: expected a non-empty string or a finite number'],
  ['{"type":"all","retry":-1,"data":1}', 'retry is -1: expected an integer from 0 to 2147483647 (milliseconds)'],
])('names the field of %s that is wrong as the envelope does', async (message, what) => {
  const { send, ann, errors } = await receiver();
  send(message);
  send(good);
  await ann.event('end');
  expect(errors.map((error) => error.message)).toEqual([`an envelope was dropped: ${what}.`]);
});

it('survives 100,000 levels at the default limits', async () => {
  const { send, ann, errors } = await receiver();
  send(`{"type":"all","data":${deep(100_000)}}`);
  send(`{"type":"all","data":${'{"a":'.repeat(100_000)}1${'}'.repeat(100_000)}}`);
  send(good);
  await ann.event('end');
  expect(errors.map(({ code }) => code)).toEqual(['INVALID_ENVELOPE', 'INVALID_ENVELOPE']);
});

const taken: [string, string, string][] = [
  ['the least there can be', '{"type":"all","data":1}', '1'],
  ['big integers', '{"type":"all","data":{"n":12345678901234567890,"x":1.0}}', '{"n":12345678901234567890,"x":1.0}'],
  ['big integers before the rest', '{"data":12345678901234567890,"type":"all"}', '12345678901234567890'],
  [
    'big integers beside null',
    '{"type":"all","target":null,"id":null,"data":12345678901234567890}',
    '12345678901234567890',
  ],
  ['white space anywhere', ' {\n"type" :\t"all" ,\r\n "data" : [ 1,  2 ] } \n', '[ 1,  2 ]'],
  ['null as data', '{"type":"all","data":null}', 'null'],
  ['unknown fields, also nested', '{"x":{"data":5,"y":[",\\"data\\":6"]},"type":"all","data":1}', '1'],
  ['a key in a string', '{"type":"all","x":",\\"data\\":2","data":"}\\\\\\","}', '"}\\\\\\","'],
  ['the last of two', '{"type":"all","data":1,"data":2}', '2'],
  ['the last of two, escaped', '{"type":"all","data":1,"d\\u0061ta":2}', '2'],
  ['the last of two, the first escaped', '{"d\\u0061ta":1,"type":"all","data":2}', '2'],
  ['data before a field that repeats', '{"type":"all","data":1,"type":"all"}', '1'],
  ['data before another field', '{"type":"all","data":"a","x":"b"}', '"a"'],
  ['a field of the prototype', '{"__proto__":{"x":1},"type":"all","data":{"__proto__":2}}', '{"__proto__":2}'],
  ['brackets in strings', `{"type":"all","data":"${'['.repeat(900)}"}`, `"${'['.repeat(900)}"`],
  ['many levels', `{"type":"all","data":${deep(500)}}`, deep(500)],
  ['many brackets', `{"type":"all","data":[${Array(900).fill('[]').join()}]}`, `[${Array(900).fill('[]').join()}]`],
  ['text', '{"type":"all","text":"a\\r\\nb"}', 'a\nb'],
  ['empty text', '{"type":"all","text":""}', ''],
  ['text beside data', '{"type":"all","text":"t","data":1}', 't'],
  ['null for text', '{"type":"all","text":null,"data":1}', '1'],
  ['a number as user', '{"type":"room","target":7,"data":1}', '1'],
  ['null for what is absent', '{"v":null,"n":null,"type":"all","event":null,"retry":null,"data":1}', '1'],
  ['a lone surrogate', '{"type":"all","text":"\\ud800"}', '\ufffd'],
];

it.each(taken)('delivers %s as it stands', async (_, message, text) => {
  const { send, ann, errors } = await receiver();
  send(message);
  const [event] = await ann.received(1);
  expect(event?.data).toBe(text);
  expect(errors).toEqual([]);
});

it('delivers without an id live only, each time', async () => {
  const { send, ann, url, sse } = await receiver();
  await sse.publishToUser('ann', 0, { id: 'first' });
  for (let n = 0; n < 2; n += 1) send('{"type":"user","target":"ann","data":1}');
  for (let n = 0; n < 2; n += 1) send('{"type":"user","target":"ann","id":"","data":2}');
  await ann.received(5);
  expect(sse.stats().recentItems).toBe(3);
  const back = await openStream(`${url}/ann`, { lastEventId: 'first' });
  await back.received(2);
  expect(back.events.map(({ data }) => data)).toEqual(['2', '2']);
});

it('delivers an id once in each scope, and a number once', async () => {
  const { send, ann, sse } = await receiver();
  for (const target of ['ann', 'ann', 'bob']) send(`{"type":"user","target":"${target}","id":"i","data":1}`);
  send('{"type":"room","target":"r","id":"i","data":2}');
  send('{"type":"all","id":"i","data":3}');
  send('{"type":"all","n":"x","data":4}');
  send('{"type":"all","n":"x","data":5}');
  // Ids and names that would look alike, were they simply put behind one another.
  send('{"type":"all","id":"a user ann","data":6}');
  send('{"type":"user","target":"ann","id":"a","data":7}');
  send(good);
  await ann.event('end');
  expect(ann.events.map(({ data }) => data)).toEqual(['1', '2', '3', '4', '6', '7', '"end"']);
  expect(sse.stats().bus.duplicates).toBe(2);
});

it('tells of an envelope as it was sent', async () => {
  const { send, sse } = await receiver();
  const told = collect(sse, 'publish');
  const envelope: Envelope = {
    v: 1,
    n: 'n1',
    type: 'room',
    target: 'r',
    event: 'e',
    id: 'i',
    retry: 5,
    at: 17,
    origin: 'elsewhere',
    data: { deep: [1, { x: null }] },
  };
  send(JSON.stringify(envelope));
  send('{"type":"all","text":"plain"}');
  await sse.publishClose('nobody', { reason: 'because' });
  await expect.poll(() => told.length).toBe(3);
  expect(told.slice(0, 2)).toEqual([envelope, { type: 'all', data: 'plain' }]);
  expect(told[2]).toMatchObject({ v: 1, type: 'close', target: 'nobody', reason: 'because' });
});

it('tells the same of what it publishes, alone or not', async () => {
  for (const options of [{}, { redis: new MemoryBus().adapter() }]) {
    const { sse } = await serveHub({ hub: { ...options, autoFields: { timestamp: false } } });
    await sse.ready();
    const told = collect(sse, 'publish');
    const { id } = await sse.publishToUser(42, { a: 1 }, { event: 'e', retry: 3 });
    await expect.poll(() => told.length).toBe(1);
    expect(told[0]).toMatchObject({ v: 1, type: 'user', target: '42', event: 'e', retry: 3, id, data: { a: 1 } });
    expect(typeof told[0]?.at).toBe('number');
    expect(typeof told[0]?.origin).toBe('string');
  }
});

it('delivers although a listener throws', async () => {
  const { sse, send, ann, errors } = await receiver();
  sse.on('publish', () => {
    throw new Error('listener');
  });
  send(good);
  await ann.event('end');
  expect(errors.map(({ code }) => code)).toEqual(['LISTENER_FAILED']);
});

it('takes what any client publishes into Redis', async () => {
  const redis = await startRedis();
  const { sse, url } = await serveHub({ hub: { redis: redis.url } });
  await sse.ready();
  const ann = await openStream(`${url}/ann`);
  const client = redis.client();
  await client.publish(CHANNEL, Buffer.from([0xff, 0xfe, 0x7b]));
  await client.publish(CHANNEL, '{"type":"all","data":1}');
  expect((await ann.received(1))[0]?.data).toBe('1');
  expect(sse.stats().bus.invalid).toBe(1);
});

it.each([
  ['white space at its edges', ' 5 '],
  ['a line break at its end', '{"a":1}\n'],
  ['JSON', '{"a": 1}'],
  ['no JSON', 'a "b" \\ \u0000'],
  ['a byte order mark', '\ufeff5'],
  ['nothing', ''],
])('brings text with %s to other instances as it was', async (_, text) => {
  const bus = new MemoryBus();
  const [a, b] = [await serveHub({ hub: { redis: bus.adapter() } }), await serveHub({ hub: { redis: bus.adapter() } })];
  const c = await serveHub({ hub: { redis: bus.adapter(), serializer: () => text } });
  await Promise.all([a.sse.ready(), b.sse.ready(), c.sse.ready()]);
  const ann = await openStream(`${b.url}/ann`);
  await a.sse.publishToAll(text, { text: true });
  await c.sse.publishToAll({});
  const expected = text.replaceAll('\r\n', '\n');
  expect((await ann.received(2)).map(({ data }) => data)).toEqual([expected, expected]);
});

it('brings JSON deeper than others may send to other instances, numbered or not', async () => {
  const redis = await startRedis();
  const hub = { redis: redis.url, autoFields: { timestamp: false } } as const;
  const [a, b] = [await serveHub({ hub }), await serveHub({ hub })];
  await Promise.all([a.sse.ready(), b.sse.ready()]);
  const ann = await openStream(`${b.url}/ann`);
  const expected: string[] = [];
  // The envelope is a level, too; so is the object around what is nested.
  for (const [seq, levels] of [510, 511, 512, 513, 1000].entries()) {
    await a.sse.publishToAll(JSON.parse(deep(levels)));
    await a.sse.publishToAll({ requestId: 'k', q: '"\\', nested: JSON.parse(deep(levels - 1)) });
    expected.push(deep(levels), `{"requestId":"k","q":"\\"\\\\","nested":${deep(levels - 1)},"seq":${seq}}`);
  }
  await a.sse.publishToAll('last');
  await ann.until(({ events }) => events.at(-1)?.data === '"last"');
  expect(ann.events.slice(0, -1).map(({ data }) => data)).toEqual(expected);
  expect(a.sse.stats().bus.invalid + b.sse.stats().bus.invalid).toBe(0);
});

const field = fc.oneof(
  fc.jsonValue(),
  fc.constantFrom('user', 'room', 'all', 'close', 'join', 'leave', 'ann', 1, 2, 'a\nb'),
);
const record = fc.record(
  {
    v: field,
    n: field,
    type: field,
    target: field,
    room: field,
    reason: field,
    event: field,
    id: field,
    retry: field,
    text: field,
    data: field,
  },
  { requiredKeys: [] },
);
const mutated = fc
  .tuple(
    fc.oneof(
      record.map((each) => JSON.stringify(each)),
      fc.constant(good),
    ),
    fc.nat(),
    fc.string(),
  )
  .map(
    ([text, at, insert]) =>
      text.slice(0, at % (text.length + 1)) + insert + text.slice((at % (text.length + 1)) + (insert.length % 3)),
  );

it('takes or drops whatever arrives, and goes on', async () => {
  const { bus, send, sse, ann, errors } = await receiver({ recentBufferSize: 5 }, 'listener');
  await fc.assert(
    fc.asyncProperty(
      fc.oneof(
        fc.string(),
        record.map((each) => JSON.stringify(each)),
        mutated,
      ),
      async (message) => {
        const before = { ...sse.stats().bus, errors: errors.length };
        send(message);
        await new Promise((resolve) => setImmediate(resolve));
        const after = sse.stats().bus;
        expect(after.received).toBe(before.received + 1);
        expect(errors.length - before.errors).toBe(after.invalid - before.invalid);
      },
    ),
    { numRuns: 700 },
  );
  expect(new Set(errors.map(({ code }) => code))).toEqual(new Set(['INVALID_ENVELOPE']));
  expect(bus.messages.length).toBeGreaterThanOrEqual(700);
  send('{"type":"user","target":"listener","event":"last","data":1}');
  await ann.event('last');
});
