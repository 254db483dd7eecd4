import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type RedisLike, SSEKify, type SSEKifyOptions } from '../../src/index.js';
import { atEnd } from '../helpers/cleanup.js';
import { openStream } from '../helpers/client.js';
import { collect } from '../helpers/emitted.js';
import { heapGrowth } from '../helpers/memory.js';
import { MemoryBus } from '../helpers/memory-bus.js';
import { serveHub } from '../helpers/server.js';

const CHANNEL = 'ssekify:bus';
const ORIGIN = 'abcdefghij';

/** An envelope as ssekify writes it. */
const canonical = (counter: number, data: string, { target = 'ann', n = `${ORIGIN}-${counter}` } = {}) =>
  `{"v":1,"n":"${n}","type":"user","target":"${target}","id":"1795000000000-${ORIGIN}-${counter}",` +
  `"at":1795000000000,"origin":"${ORIGIN}","data":${data}}`;

/** An instance without connections. */
async function holdsNobody(options: SSEKifyOptions = {}) {
  const bus = new MemoryBus();
  const sse = new SSEKify({ ...options, redis: bus.adapter() });
  atEnd(() => sse.shutdown({ graceMs: 0 }));
  await sse.ready();
  const errors = collect(sse, 'error');
  /** Sends, and waits until it arrived. */
  const send = async (...messages: string[]) => {
    for (const message of messages) bus.publish(CHANNEL, message);
    await new Promise((resolve) => setImmediate(resolve));
  };
  return { bus, sse, errors, send };
}

async function holder(options: SSEKifyOptions = {}) {
  const bus = new MemoryBus();
  const adapter = bus.adapter();
  const hub = await serveHub({ hub: { ...options, redis: adapter } });
  await hub.sse.ready();
  const errors = collect(hub.sse, 'error');
  const ann = await openStream(`${hub.url}/ann`);
  const said = () => ann.events.map(({ data }) => data);
  return { ...hub, bus, adapter, errors, ann, said, send: (message: string) => bus.publish(CHANNEL, message) };
}

const badData = [
  ...['', ' ', '{', '{"a":1', '{"a":1}}', '{"a":1},', '{,"a":1}', '{"a":1,}', '{"a":1 "b":2}', '{"a" 1}', '{a:1}'],
  ...["{'a':1}", '{"a":01}', '{"a":+1}', '{"a":1.}', '{"a":.5}', '{"a":1e}', '{"a":--1}', '{"a":NaN}', '{"a":True}'],
  ...['{"a":"\\x"}', '{"a":"\\"}', '{"a":"\n"}', '{"a":"\u0000"}', '{"a":"b}', '{"a":undefined}', '{"a":1}{"b":2}'],
  ...['\u00a0{"a":1}', '{"a":1}\u00a0', '\ufeff{"a":1}', '{"a":\u00a01}', '[1,]', '"', 'tru', '-', '1 2', '{"a":1}//'],
];

it.each(badData.map((data) => [data]))(
  'drops %j as data where nobody is held, once each, and takes the next',
  async (data) => {
    const { sse, errors, send } = await holdsNobody();
    await send(canonical(1, data), canonical(2, data), canonical(3, '{"a":1}'));
    expect(errors.map(({ code }) => code)).toEqual(['INVALID_ENVELOPE', 'INVALID_ENVELOPE']);
    expect(sse.stats()).toMatchObject({ recentItems: 1, errorCount: 2, bus: { received: 3, invalid: 2 } });
  },
);

const value = fc.oneof(
  fc.jsonValue().map((each) => JSON.stringify(each)),
  fc
    .dictionary(fc.string(), fc.oneof(fc.string(), fc.double(), fc.boolean(), fc.constant(null)))
    .map((each) => JSON.stringify(each)),
);
const bits = fc.constantFrom(
  '"',
  '\\',
  ',',
  ':',
  '{',
  '}',
  '0',
  '-',
  '.',
  'e',
  ' ',
  '\n',
  '\u00a0',
  '\\u0061',
  ',"data":1',
  ',"id":"x"',
);
const edited = fc.tuple(value, fc.nat(), fc.nat(3), bits).map(([text, at, cut, insert]) => {
  const from = at % (text.length + 1);
  return text.slice(0, from) + insert + text.slice(from + cut);
});

it('takes just what is JSON as a whole, and tells of it as JSON.parse reads it', async () => {
  const { sse, send } = await holdsNobody();
  const told = collect(sse, 'publish');
  let counter = 0;
  await fc.assert(
    fc.asyncProperty(fc.oneof(value, edited), async (data) => {
      counter += 1;
      const message = canonical(counter, data);
      const { invalid } = sse.stats().bus;
      told.length = 0;
      await send(message);
      let expected: unknown;
      try {
        expected = JSON.parse(message);
      } catch {
        expect(sse.stats().bus.invalid).toBe(invalid + 1);
        expect(told).toEqual([]);
        return;
      }
      expect(sse.stats().bus).toMatchObject({ invalid });
      expect(told).toEqual([expected]);
    }),
    { numRuns: 3000 },
  );
});

it.each([
  ['a field after the data', canonical(1, '1,"id":"other"'), { id: 'other', data: '1' }],
  ['data twice', canonical(1, '1,"data":{"b":2}'), { data: '{"b":2}' }],
  ['another target after the data', canonical(1, '1,"target":"bob"'), undefined],
  ['text after the data', canonical(1, '1,"text":"t"'), { data: 't' }],
  [
    'an escape in the id',
    canonical(1, '1').replace('"id":"1', '"id":"\\u0031'),
    { id: `1795000000000-${ORIGIN}-1`, data: '1' },
  ],
  ['an escape in the target', canonical(1, '1').replace('"target":"a', '"target":"\\u0061'), { data: '1' }],
  ['__proto__ in the data', canonical(1, '{"__proto__":{"a":1}}'), { data: '{"__proto__":{"a":1}}' }],
  ['a line break in the data', canonical(1, '{"a":1,\n"b":\r2}'), { data: '{"a":1,\n"b":\n2}' }],
  ['white space around the data', canonical(1, ' {"a":1}\t'), { data: '{"a":1}' }],
  ['a lone surrogate in the data', canonical(1, '{"a":"\ud800"}'), { data: '{"a":"\ufffd"}' }],
  [
    'an event and a retry',
    canonical(1, '1').replace('"id"', '"event":"e","id"').replace(',"at"', ',"retry":5,"at"'),
    { event: 'e', data: '1' },
  ],
])('delivers an envelope of the usual shape with %s as what it says', async (_, message, expected) => {
  const { send, ann, errors } = await holder();
  send(message);
  send('{"type":"user","target":"ann","event":"end","data":0}');
  await ann.event('end');
  expect(ann.events.slice(0, -1)).toMatchObject(expected === undefined ? [] : [expected]);
  expect(errors).toEqual([]);
});

const deep = (levels: number) => `${'['.repeat(levels)}${']'.repeat(levels)}`;

it.each<[string, string, (message: string) => string]>([
  ['no end', '12', (message) => message.slice(0, -1)],
  ['the end of something else', '{"a":1}', (message) => `${message.slice(0, -1)}]`],
  ['a time that begins with a zero', '1', (message) => message.replace('"at":', '"at":0')],
  ['a retry that begins with a zero', '1', (message) => message.replace('"at":', '"retry":05,"at":')],
  ['data that is too deep', deep(600), (message) => message],
  ['data that is much too deep', deep(100_000), (message) => message],
])('refuses an envelope of the usual shape with %s, for whoever it is', async (_, data, change) => {
  const { send, sse, ann, errors } = await holder();
  for (const [index, target] of ['ann', 'nobody', 'ann', 'nobody'].entries())
    send(change(canonical(index, data, { target })));
  send('{"type":"user","target":"ann","event":"end","data":0}');
  await ann.event('end');
  expect(ann.events).toHaveLength(1);
  expect(errors.map(({ code }) => code)).toEqual(Array(4).fill('INVALID_ENVELOPE'));
  expect(sse.stats().recentItems).toBe(0);
});

it('keeps users apart whose names belong to objects', async () => {
  const { send, sse, ann } = await holder();
  for (const [index, target] of ['__proto__', 'constructor', 'ann'].entries())
    send(canonical(index, `"${target}"`, { target }));
  await ann.received(1);
  expect(ann.events.map(({ data }) => data)).toEqual(['"ann"']);
  expect(sse.stats()).toMatchObject({ recentBuffers: 3, recentItems: 3 });
});

it('keeps users apart where the bytes of one name are the characters of another', async () => {
  const { send, sse, url } = await holder();
  const name = '·â·êö¸µä';
  // Also the hashes by which names are known are the same.
  const alike = Buffer.from(name).toString('latin1');
  const [one, other] = [
    await openStream(`${url}/${encodeURIComponent(name)}`),
    await openStream(`${url}/${encodeURIComponent(alike)}`),
  ];
  for (const [index, target] of [alike, name, alike].entries()) send(canonical(index, `${index}`, { target }));
  send('{"type":"all","event":"end","data":0}');
  await Promise.all([one.event('end'), other.event('end')]);
  expect([one, other].map(({ events }) => events.slice(0, -1).map(({ data }) => data))).toEqual([['1'], ['0', '2']]);
  expect(sse.stats().recentBuffers).toBe(2);
});

it('delivers each automatic id once in a scope, in whatever order and shape they come', async () => {
  const { send, ann, said, sse } = await holder();
  for (const counter of [5, 3, 5, 3, 4, 9, 4]) send(canonical(counter, String(counter)));
  // The same ids with other fields before them; another millisecond, and other ways to write the counter, are other ids.
  const id = (text: string, data: number) => send(`{"type":"user","target":"ann","id":"${text}","data":${data}}`);
  id(`1795000000000-${ORIGIN}-9`, 90);
  id(`1795000000000-${ORIGIN}-10`, 10);
  send(canonical(10, '100'));
  id(`1795000000001-${ORIGIN}-10`, 11);
  for (const counter of ['010', '1e1', '0xa', '10.0']) id(`1795000000000-${ORIGIN}-${counter}`, 12);
  // As any id, one may be another event's in another scope.
  send(`{"type":"all","id":"1795000000000-${ORIGIN}-5","data":13}`);
  send(`{"type":"all","id":"1795000000000-${ORIGIN}-5","data":14}`);
  id(`0-${ORIGIN}-Infinity`, 15);
  id(`0-${ORIGIN}-Infinity`, 16);
  send(canonical(11, '17'));
  await ann.received(13);
  expect(said().map(Number)).toEqual([5, 3, 4, 9, 10, 11, 12, 12, 12, 12, 13, 15, 17]);
  expect(sse.stats().bus.duplicates).toBe(7);
});

it('counts the bytes of what nobody has read as those on the wire', async () => {
  const data = ['{"a":"\u20ac\ud83d\ude00\u00e9"}', '{"a":1}', '{"a":1,\n"b":2}'];
  const one = await holder();
  const raw = data.map((text, index) => {
    one.send(canonical(index, text));
    return `id: 1795000000000-${ORIGIN}-${index}\n${text
      .split('\n')
      .map((line) => `data: ${line}\n`)
      .join('')}\n`;
  });
  const { sse, send } = await holdsNobody();
  await send(...data.map((text, index) => canonical(index, text)));
  await one.ann.received(3);
  const bytes = Buffer.byteLength(raw.join(''));
  expect(one.sse.stats().recentBytes).toBe(bytes);
  expect(sse.stats().recentBytes).toBe(bytes);
});

it('gives back what nobody waited for here just as the instance does whose client had it', async () => {
  const hub = { recentBufferSize: 40 };
  const { bus, ann, sse, send } = await holder(hub);
  const other = await serveHub({ hub: { ...hub, redis: bus.adapter() } });
  await other.sse.ready();
  const kinds = [
    '{"a":1}',
    '{}',
    '{"a":"\u00e9"}',
    '{"a":{"b":[1]}}',
    '{"a":"\\n"}',
    `{"a":"${'x'.repeat(1000)}"}`,
    '7',
  ];
  const long = `{"a":"${'x'.repeat(1030)}"}`;
  const heads = ['', '"event":"job:done",', '"event":"gr\u00f6\u00dfe",', '"event":"",'];
  for (let n = 0; n < 90; n += 1) {
    const head = heads[(n >> 1) % heads.length] ?? '';
    const retry = n % 5 === 0 ? `"retry":${n * 10},` : '';
    const message = canonical(n, n % 31 === 0 ? long : (kinds[n % kinds.length] ?? ''));
    // Some ids are of another kind, and one comes a second time, for everyone.
    const own = n % 17 === 3 ? message.replace(/"id":"[^"]*"/, `"id":"own-${n}"`) : message;
    send(own.replace('"id":', `${head}"id":`).replace('"at":', `${retry}"at":`));
    if (n === 70) send(message.replace('"type":"user","target":"ann"', '"type":"all"'));
  }
  await ann.received(91);
  expect(other.sse.stats()).toMatchObject({ recentItems: 41, errorCount: 0, bus: { invalid: 0, duplicates: 0 } });
  expect(other.sse.stats().recentBytes).toBe(sse.stats().recentBytes);
  for (const missed of [1, 3, 17, 38]) {
    const { id = '' } = ann.events.at(-1 - missed) ?? {};
    const back = await openStream(`${other.url}/ann`, { lastEventId: id });
    await back.received(missed);
    const first = `id: ${ann.events.at(-missed)?.id}\n`;
    const from = ({ raw }: { raw: string }) => raw.slice(raw.lastIndexOf(first));
    expect(from(back)).toBe(from(ann));
    back.close();
  }
  other.sse.clearRecent();
  expect(other.sse.stats()).toMatchObject({ recentItems: 0, recentBytes: 0 });
});

it('does not keep messages for the names and ids in them', async () => {
  let receive: (channel: string, message: string) => void = () => undefined;
  const redis: RedisLike = {
    publish: async () => undefined,
    subscribe: async () => undefined,
    on: (event: string, listener: typeof receive) => {
      if (event === 'message') receive = listener;
    },
  };
  const sse = new SSEKify({ redis, recentMaxBytes: 1_000_000 });
  atEnd(() => sse.shutdown({ graceMs: 0 }));
  await sse.ready();
  const text = 'x'.repeat(50_000);
  const growth = heapGrowth(() => {
    for (let counter = 0; counter < 2000; counter += 1) {
      const target = `a user with a long name ${counter}`;
      // As from a socket: a string of its own.
      const message = Buffer.from(canonical(counter, `{"i":${counter},"text":"${text}"}`, { target }));
      receive(CHANNEL, message.toString());
    }
  });
  expect(sse.stats().bus).toMatchObject({ received: 2000, invalid: 0 });
  expect(growth).toBeLessThan(15_000_000);
});

it('takes its own event for come back where those of others are kept as bytes', async () => {
  const { sse, send } = await holdsNobody();
  await send(...[1, 2, 3, 4, 5].map((n) => canonical(n, `${n}`)));
  await sse.publishToUser('ann', 6);
  await expect.poll(() => sse.stats().bus.received).toBe(6);
  expect(sse.stats()).toMatchObject({ recentItems: 6, bus: { pending: 0, published: 1 } });
});

it('delivers its own event when its echo is forged, and what was forged as what it says', async () => {
  const { adapter, bus, sse, ann, said, errors } = await holder();
  adapter.delays = true;
  const published = sse.publishToUser('ann', { own: 1 });
  const [message = ''] = bus.messages;
  const other = message.replace('{"own":1', '{"own":2');
  // The same number with another id, with the same id, without good data, and word for word.
  bus.publish(CHANNEL, other.replace(/"id":"[^"]*"/, '"id":"forged"'));
  bus.publish(CHANNEL, message.replace('{"own":1', '{"own":'));
  await published;
  adapter.arrive();
  adapter.delays = false;
  bus.publish(CHANNEL, other);
  bus.publish(CHANNEL, message);
  await sse.publishToUser('ann', 'end');
  await ann.received(3);
  expect(said().map((each) => JSON.parse(each))).toMatchObject([{ own: 1 }, { own: 2 }, 'end']);
  expect(errors.map(({ code }) => code)).toEqual(['INVALID_ENVELOPE']);
  expect(sse.stats().bus).toMatchObject({ duplicates: 2, invalid: 1, fallbacks: 0, pending: 0 });
});

it('delivers to itself the very text that others get', async () => {
  const bus = new MemoryBus();
  const make = () => serveHub({ hub: { redis: bus.adapter() } });
  const [a, b] = [await make(), await make()];
  await Promise.all([a.sse.ready(), b.sse.ready()]);
  const [here, there] = [await openStream(`${a.url}/ann`), await openStream(`${b.url}/ann`)];
  const sent: [unknown, object][] = [
    [
      { requestId: 'k', text: '\u20ac\ud800"\\\n' },
      { event: 'e', retry: 7 },
    ],
    [{ requestId: 'k', seq: 5 }, { id: 'own id' }],
    ['a\r\nb', { text: true }],
    ['{"a": 1,\n"b": 2}', { text: true }],
    ['\ud800', { text: true }],
    [[1, null], { event: '\ud800' }],
  ];
  for (const [data, options] of sent) await a.sse.publishToUser('ann', data, options);
  await Promise.all([here.received(sent.length), there.received(sent.length)]);
  expect(here.events).toEqual(there.events);
  expect(a.sse.stats()).toMatchObject({ recentBytes: b.sse.stats().recentBytes, recentItems: sent.length });
  // The number that the second brought with it goes on, here as there.
  for (const { sse } of [a, b]) sse.sendToUser('ann', { requestId: 'k' });
  const next = [(await here.received(sent.length + 1)).at(-1), (await there.received(sent.length + 1)).at(-1)];
  expect(next.map((event) => JSON.parse(event?.data ?? '').seq)).toEqual([6, 6]);
});
