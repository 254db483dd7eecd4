import { setImmediate } from 'node:timers/promises';
import fc from 'fast-check';
import { expect, it } from 'vitest';
import { openStream } from '../helpers/client.js';
import { collect } from '../helpers/emitted.js';
import { MemoryBus } from '../helpers/memory-bus.js';
import { serveHub, type TestHub } from '../helpers/server.js';

const CHANNEL = 'ssekify:bus';
const USERS = ['ann', 'bob', 'grün', 'a-user-with-a-name-that-is-longer'];
const ORIGINS = ['aaaaaaaaaa', 'bbbbbbbbbb', 'cccccccccc'];

const plain = fc.oneof(fc.string(), fc.double(), fc.boolean(), fc.constant(null), fc.integer());
const flat = fc.dictionary(fc.string(), plain, { maxKeys: 3 }).map((each) => JSON.stringify(each));
const data = fc.oneof(
  { weight: 8, arbitrary: flat },
  { weight: 2, arbitrary: fc.jsonValue().map((each) => JSON.stringify(each)) },
  fc.nat(99).map((seq) => `{"seq":${seq},"requestId":"r"}`),
  fc.nat(99).map((seq) => `{"requestId":"r","s\\u0065q":${seq}}`),
  fc.constantFrom(
    '{"te\\"xt":"a\\nb\\\\"}',
    '{"a":"é€😀"}',
    '{}',
    '{"a":1e3}',
    '{"a":01}',
    '{"a":1',
    '',
    ' {"a":1} ',
    '7',
  ),
  fc.constantFrom(
    '{"a":"\u007f"}',
    '[[[]],{"b":[{}]}]',
    '{"a":-0.5}',
    '{"a":1.}',
    '{"a":"\\x"}',
    '{"a":1,}',
    '{"a":tru}',
  ),
  // About as long as is accepted.
  fc.integer({ min: 870, max: 900 }).map((length) => `{"long":"${'x'.repeat(length)}"}`),
  fc.nat(300).map((length) => `{"long":"${'x'.repeat(4 * length)}"}`),
);

const message = fc.record({
  data,
  type: fc.constantFrom('user', 'user', 'user', 'user', 'user', 'user', 'room', 'all'),
  target: fc.constantFrom(...USERS),
  origin: fc.constantFrom(...ORIGINS),
  step: fc.constantFrom<number>(1, 1, 1, 1, 1, 2, 3, 0, -1),
  time: fc.constantFrom(1_795_000_000_000, 1_795_000_000_001),
  event: fc.constantFrom(
    undefined,
    undefined,
    undefined,
    undefined,
    undefined,
    'progress',
    '',
    'done',
    'größe',
    'a "quote"',
  ),
  retry: fc.constantFrom(undefined, undefined, 0, 7, 1000),
  id: fc.oneof(
    { weight: 9, arbitrary: fc.constant(undefined) },
    fc.constantFrom('own', '1-x-2', '07-aaaaaaaaaa-900', '7-aaaaaaaaaa-0901'),
  ),
});

type Message = typeof message extends fc.Arbitrary<infer Each> ? Each : never;

const ANY: Omit<Message, 'data' | 'step'> = {
  type: 'user',
  target: 'ann',
  origin: ORIGINS[0] ?? '',
  time: 1_795_000_000_000,
  event: undefined,
  retry: undefined,
  id: undefined,
};

/** The envelopes, as ssekify writes them. */
function* envelopes(messages: readonly Message[]) {
  const counters = new Map<string, number>();
  for (const { data, type, target, origin, step, time, event, retry, id } of messages) {
    const counter = Math.max(0, (counters.get(origin) ?? 0) + step);
    counters.set(origin, counter);
    const fields = {
      ...(type !== 'all' && { target }),
      ...(event !== undefined && { event }),
      id: id ?? `${time}-${origin}-${counter}`,
      ...(retry !== undefined && { retry }),
      at: time,
      origin,
    };
    yield `{"v":1,"n":"${origin}-${counter}","type":"${type}",${JSON.stringify(fields).slice(1, -1)},"data":${data}}`;
  }
}

const shown = ({ sse }: TestHub) => {
  const { recentBuffers, recentItems, recentBytes, errorCount, bus } = sse.stats();
  return { recentBuffers, recentItems, recentBytes, errorCount, bus };
};

/** What a client gets that comes back with this id. */
async function resumed({ sse, url }: TestHub, user: string, lastEventId: string): Promise<string> {
  const client = await openStream(`${url}/${encodeURIComponent(user)}`, { lastEventId });
  sse.sendToUser(user, 'here', { event: 'end' });
  await client.event('end');
  client.close();
  // Ids of this instance's own, and its name.
  return client.raw
    .replaceAll(/\+[a-z0-9]{10}\.\d+/g, '+')
    .replaceAll(/^id: \d+-[a-z0-9]{10}-\d+(?=\nevent: server:cursor)/gm, 'id');
}

/** The number of what is sent next with the key that some events had; it goes on from theirs. */
async function nextNumber({ sse, url }: TestHub, fieldName = 'seq'): Promise<unknown> {
  const client = await openStream(`${url}/dora`);
  sse.sendToUser('dora', { requestId: 'r' });
  const [event] = await client.received(1);
  return JSON.parse(event?.data ?? '')[fieldName];
}

it('keeps as bytes what it would keep as text, and gives the same of it back', async () => {
  await fc.assert(
    fc.asyncProperty(fc.array(message, { minLength: 60, maxLength: 200 }), fc.nat(), async (messages, pick) => {
      const bus = new MemoryBus();
      const make = () =>
        serveHub({
          hub: {
            redis: bus.adapter(),
            recentBufferSize: 8,
            maxPayloadBytes: 900,
            recentMaxBytes: 20_000,
            keepAliveMs: 0,
          },
        });
      const [asBytes, asText] = [await make(), await make()];
      for (const { sse } of [asBytes, asText]) sse.on('error', () => undefined);
      // Whoever listens hears each event as it is.
      asText.sse.on('publish', () => undefined);
      await Promise.all([asBytes.sse.ready(), asText.sse.ready()]);
      const ids = new Set(['unknown']);
      for (const each of envelopes(messages)) {
        bus.publish(CHANNEL, each);
        await setImmediate();
        expect(shown(asBytes)).toEqual(shown(asText));
        ids.add(/"id":"([^"]*)"/.exec(each)?.[1] ?? '');
      }
      const all = [...ids];
      for (const user of USERS) {
        for (const lastEventId of [all.at(-1 - (pick % 12)), all.at(-3), all[0]]) {
          const [one, other] = [
            await resumed(asBytes, user, lastEventId ?? ''),
            await resumed(asText, user, lastEventId ?? ''),
          ];
          expect(one).toBe(other);
        }
      }
      expect(await nextNumber(asBytes)).toBe(await nextNumber(asText));
      await Promise.all([asBytes.sse.shutdown({ graceMs: 0 }), asText.sse.shutdown({ graceMs: 0 })]);
    }),
    { numRuns: 40 },
  );
}, 60_000);

it('sees a number whose name is written with an escape', async () => {
  const bus = new MemoryBus();
  const hub = await serveHub({ hub: { redis: bus.adapter(), seq: { fieldName: 'n/m' } } });
  await hub.sse.ready();
  const send = (counter: number, data: string) =>
    bus.publish(CHANNEL, [...envelopes([{ ...ANY, step: counter, data }])].join());
  for (let counter = 1; counter < 8; counter += 1) send(counter, '{"a":1}');
  send(8, '{"requestId":"r","n\\/m":41}');
  await setImmediate();
  expect(hub.sse.stats()).toMatchObject({ recentItems: 8, bus: { invalid: 0 } });
  expect(await nextNumber(hub, 'n/m')).toBe(42);
});

it('tells those who listen also of what it only keeps', async () => {
  const bus = new MemoryBus();
  const { sse } = await serveHub({ hub: { redis: bus.adapter() } });
  await sse.ready();
  const sent = collect(sse, 'message-sent');
  for (const message of envelopes(Array.from({ length: 10 }, () => ({ ...ANY, data: '{"a":1}', step: 1 })))) {
    bus.publish(CHANNEL, message);
  }
  await setImmediate();
  expect(sse.stats().recentItems).toBe(10);
  expect(sent).toEqual(Array.from({ length: 10 }, () => ({ scope: 'user', userId: 'ann', count: 0 })));
});
