import net from 'node:net';
import { Readable } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createRedisStreamAdapter, type RegisteredConnectionHandle, SSEKify } from '../../src/index.js';
import { atEnd } from '../helpers/cleanup.js';
import { openStream, readEvents, type StreamReader } from '../helpers/client.js';
import { openHttp2, serveHttp2Hub } from '../helpers/http2.js';
import { usedBytes } from '../helpers/memory.js';
import { type MemoryAdapterOptions, MemoryBus } from '../helpers/memory-bus.js';
import { wireResponses } from '../helpers/raw-client.js';
import { startRedis } from '../helpers/redis.js';
import { endWithTest, serveHub, type TestHub } from '../helpers/server.js';
import { STALL_HUB, stall, standsStill, turn } from '../helpers/stall.js';

const ITEM_BYTES = 10_000;
/** More than the kernel and Node hold for a client that does not read. */
const ITEMS = 4000;

interface Side {
  sse: SSEKify;
  client: StreamReader;
  handle: RegisteredConnectionHandle;
}

async function over(served: TestHub, open: (url: string) => Promise<StreamReader>): Promise<Side> {
  const client = await open(served.url);
  return { sse: served.sse, client, handle: await served.handle(0) };
}

const http1 = (url: string) => openStream(`${url}/ann`, { paused: true });

const sides: [string, () => Promise<Side>][] = [
  ['HTTP/1 on its socket', async () => over(await serveHub(), http1)],
  [
    'HTTP/1 by the response',
    async () => {
      const before: Parameters<typeof serveHub>[0] = {
        before: (_, res) => {
          const write = res.write.bind(res);
          res.write = (chunk: string | Buffer) => write(chunk);
        },
      };
      return over(await serveHub(before), http1);
    },
  ],
  ['HTTP/2', async () => over(await serveHttp2Hub(), (url) => openHttp2(url, '/ann', { paused: true }))],
  [
    'a web-standard response',
    async () => {
      const sse = new SSEKify();
      endWithTest(sse);
      let handle: RegisteredConnectionHandle | undefined;
      const response = sse.respond(new Request('http://localhost'), 'ann', {
        connected: (connection) => {
          handle = connection;
        },
      });
      if (response.body === null || handle === undefined) throw new Error('no stream');
      return { sse, client: readEvents(Readable.fromWeb(response.body as never), true), handle };
    },
  ],
  [
    'HTTP/1 in Pub/Sub mode',
    async () => {
      const served = await serveHub({ hub: { redis: (await startRedis()).url } });
      await served.sse.ready();
      return over(served, http1);
    },
  ],
  [
    'HTTP/1 in lossless mode',
    async () => {
      const redis = await startRedis();
      const served = await serveHub({ hub: { redis: createRedisStreamAdapter(redis.url) } });
      await served.sse.ready();
      return over(served, http1);
    },
  ],
];

/** What tells how many items were taken from it. */
function source(count = ITEMS) {
  const taken = { items: 0 };
  async function* items() {
    for (; taken.items < count; taken.items += 1) yield String(taken.items).padEnd(ITEM_BYTES, '.');
  }
  return { taken, items: items() };
}

const ways: [string, (side: Side, items: AsyncIterable<unknown>) => Promise<unknown>][] = [
  ['a task', ({ sse }, items) => sse.task('ann', { requestId: 'r1', event: 'item' }).pipe(items)],
  [
    'progress, awaited',
    async ({ sse }, items) => {
      const task = sse.task('ann', { requestId: 'r1', event: 'item' });
      for await (const item of items) await task.progress(item);
      await task.done();
    },
  ],
  ['a connection', ({ handle }, items) => handle.pipe(items, { event: 'item' })],
];

for (const [how, open] of sides) {
  it.each(ways)(`waits for a reader who does not read, and drops nothing: %s over ${how}`, async (_, pipe) => {
    const side = await open();
    const { taken, items } = source();
    const before = usedBytes();
    const piped = pipe(side, items);
    await standsStill(() => taken.items);
    expect(taken.items).toBeLessThan(ITEMS);
    // Replay keeps 20 events, and Node its buffers; in lossless mode the log is kept, too.
    if (!how.includes('lossless')) expect(usedBytes() - before).toBeLessThan(4_000_000);
    side.client.resume();
    await piped;
    const seen = () => side.client.events.filter(({ event, data }) => event === 'item' && !data.includes('"done"'));
    await side.client.until(() => seen().length >= ITEMS);
    const numbers = seen().map(({ data }) => Number.parseInt(data.replace(/^.*"payload":|^/, '').replace('"', ''), 10));
    expect(numbers).toEqual(Array.from({ length: ITEMS }, (_, n) => n));
    const { droppedOldest, droppedNewest, queueBytesMax, disconnectedByBackpressure } = side.sse.stats();
    expect({ droppedOldest, droppedNewest, disconnectedByBackpressure }).toEqual({
      droppedOldest: 0,
      droppedNewest: 0,
      disconnectedByBackpressure: 0,
    });
    expect(queueBytesMax).toBeLessThanOrEqual(256 * 1024);
  });
}

it('goes at the pace of the slowest of two tabs', async () => {
  const { sse, url } = await serveHub();
  const slow = await openStream(`${url}/ann`, { paused: true });
  const fast = await openStream(`${url}/ann`);
  const { taken, items } = source();
  const piped = sse.task('ann', { requestId: 'r1' }).pipe(items);
  await standsStill(() => taken.items);
  expect(taken.items).toBeLessThan(ITEMS);
  slow.resume();
  await piped;
  await Promise.all([slow, fast].map((client) => client.received(ITEMS + 1)));
  expect(sse.stats()).toMatchObject({ droppedOldest: 0, droppedNewest: 0 });
});

it.each([
  ['alone', async () => ({})],
  ['in Pub/Sub mode', async () => ({ redis: (await startRedis()).url })],
])('takes items as large as the whole queue without dropping one: %s', async (_, hub) => {
  const { sse, url } = await serveHub({ hub: await hub() });
  await sse.ready();
  const client = await openStream(`${url}/ann`, { paused: true });
  const count = 150;
  const piped = sse.task('ann', { requestId: 'r1' }).pipe(Array.from({ length: count }, () => 'x'.repeat(270_000)));
  client.resume();
  await piped;
  await client.received(count + 1);
  expect(sse.stats()).toMatchObject({ droppedOldest: 0, droppedNewest: 0 });
});

it.each<[string, MemoryAdapterOptions]>([
  ['without numbers', {}],
  ['with numbers', { counters: 'kv' }],
])(
  'goes on behind a piece that the channel took when it came back, since only then a client has it: %s',
  async (_, options) => {
    const bus = new MemoryBus();
    const adapter = bus.adapter(options);
    const { sse } = await serveHub({ hub: { redis: adapter } });
    sse.on('error', () => {});
    await sse.ready();
    adapter.delays = true;
    const piped = sse.task('ann', { requestId: 'r1' }).pipe(['a', 'b', 'c']);
    for (let pieces = 1; pieces <= 3; pieces += 1) {
      for (let turns = 0; turns < 5; turns += 1) await turn();
      expect(bus.messages).toHaveLength(pieces);
      adapter.arrive();
    }
    await piped;
    expect(bus.messages).toHaveLength(4);
  },
);

/** Takes a kilobyte a second out of its socket, until it is told to hurry. */
function openSlowly(url: URL) {
  const reader = { text: '', hurry: () => {} };
  let hurried = false;
  const take = (length: number, buffer: Uint8Array) => {
    reader.text += Buffer.from(buffer.buffer, buffer.byteOffset, length).toString('latin1');
    return hurried;
  };
  const socket = net.connect({ port: Number(url.port), onread: { buffer: Buffer.alloc(1024), callback: take } });
  socket.write(`GET ${url.pathname} HTTP/1.1\r\nHost: localhost\r\n\r\n`);
  const pace = setInterval(() => socket.resume(), 1000);
  atEnd(() => {
    clearInterval(pace);
    socket.destroy();
  });
  reader.hurry = () => {
    hurried = true;
    socket.resume();
  };
  return reader;
}

it.each(ways)('holds 10 MB back from a reader of 1 KB a second, who stays and gets it all: %s', async (_, pipe) => {
  const { sse, url, handle } = await serveHub();
  const reader = openSlowly(new URL(`${url}/ann`));
  const side = { sse, client: readEvents(Readable.from([])), handle: await handle(0) };
  const { taken, items } = source(1000);
  const before = usedBytes();
  const piped = pipe(side, items);
  await standsStill(() => taken.items);
  const held = taken.items;
  expect(held).toBeLessThan(1000);
  await wait(3000);
  // What the reader took meanwhile fits in the kernel's buffers many times.
  expect(taken.items).toBe(held);
  expect(reader.text.length).toBeLessThanOrEqual(10 * 1024);
  expect(usedBytes() - before).toBeLessThan(4_000_000);
  expect(sse.stats()).toMatchObject({ connections: 1, droppedOldest: 0, droppedNewest: 0 });
  expect(sse.stats().queueBytesMax).toBeLessThanOrEqual(256 * 1024);
  reader.hurry();
  await piped;
  const numbers = () => {
    const [response] = wireResponses(reader.text);
    return [...(response?.body ?? '').matchAll(/^data: (?:.*"payload":)?"(\d+)\.\.\./gm)].map(([, n]) => Number(n));
  };
  await expect.poll(() => numbers().length, { timeout: 10_000 }).toBe(1000);
  expect(numbers()).toEqual(Array.from({ length: 1000 }, (_, n) => n));
});

it('drops nothing of many tasks whose pieces and ends come while their user is behind', async () => {
  const { sse, url } = await serveHub({ hub: { ...STALL_HUB, connection: { maxQueueItems: 5 } } });
  const client = await openStream(`${url}/ann`, { paused: true });
  await stall(sse, 'ann');
  const tasks = Array.from({ length: 20 }, (_, n) => sse.task('ann', { requestId: `r${n}` }));
  const piped = tasks.map((task, n) => task.pipe(n < 10 ? ['a piece'] : []));
  await turn();
  client.resume();
  await Promise.all(piped);
  const ends = () => client.events.filter(({ data }) => data.includes('"done"')).length;
  await expect.poll(ends).toBe(20);
  expect(sse.stats()).toMatchObject({ droppedOldest: 0, droppedNewest: 0 });
});
