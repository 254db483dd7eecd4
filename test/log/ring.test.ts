import { expect, it, onTestFinished } from 'vitest';
import type { Link } from '../../src/cluster/link.js';
import { Pages } from '../../src/cluster/log/pages.js';
import { Ring } from '../../src/delivery/log/ring.js';
import { roomScope } from '../../src/delivery/scope.js';
import { encodeEvent } from '../../src/wire/frame.js';
import { openStream } from '../helpers/client.js';
import { collect } from '../helpers/emitted.js';
import { commandCalls, dataOf, gapsOf, LOG, logHub, range, untilTold } from '../helpers/log.js';
import { flushed, MadeUpResponse } from '../helpers/made-up-response.js';
import { startProxy } from '../helpers/proxy.js';
import { startRedis } from '../helpers/redis.js';

async function published(count: number, ringMaxBytes: number) {
  const redis = await startRedis();
  const a = await logHub(redis.url, { log: { ringMaxBytes } });
  const client = await openStream(`${a.url}/ann`);
  const { id = '' } = await a.sse.publishToAll({ n: -1 });
  const scopes = ['user', 'room', 'all'] as const;
  await Promise.all(
    range(0, count).map((n) => {
      const scope = scopes[n % 3];
      if (scope === 'all') return a.sse.publishToAll({ n });
      return scope === 'user' ? a.sse.publishToUser('ann', { n }) : a.sse.publishToRoom('r', { n });
    }),
  );
  client.close();
  await expect.poll(() => a.sse.stats().bus.received).toBe(count + 1);
  return { redis, a, id };
}

it('reads what is older than memory from Redis, and what many ask for at once only once', async () => {
  const { redis, a, id } = await published(1200, 100_000);
  expect(a.sse.stats().log.ringBytes).toBeLessThanOrEqual(100_000);
  const before = (await commandCalls(redis)).get('xrange') ?? 0;
  // Redis answers only when all have asked.
  process.kill(redis.pid ?? expect.fail(), 'SIGSTOP');
  const clients = await Promise.all(range(0, 40).map(() => openStream(`${a.url}/ann?rooms=r`, { lastEventId: id })));
  await expect.poll(() => a.sse.stats().log.resumesFromRedis, { interval: 5 }).toBe(40);
  process.kill(redis.pid ?? expect.fail(), 'SIGCONT');
  await Promise.all(clients.map((client) => untilTold(client, 1200)));
  for (const client of clients) expect(dataOf(client).map(({ n }) => n)).toEqual(range(0, 1200));
  expect(a.sse.stats().log).toMatchObject({ resumesFromRedis: 40, resumesFromMemory: 0 });
  const reads = ((await commandCalls(redis)).get('xrange') ?? 0) - before;
  // A page and a look at the beginning, for each piece of 500; not for each client.
  expect(reads).toBeGreaterThanOrEqual(4);
  expect(reads).toBeLessThan(40);
  expect(a.gaps).toEqual([]);
});

it('costs Redis nothing when 500 clients come back to a warm instance', async () => {
  const { redis, a, id } = await published(300, 10_000_000);
  const before = await commandCalls(redis);
  const clients = await Promise.all(range(0, 500).map(() => openStream(`${a.url}/ann?rooms=r`, { lastEventId: id })));
  await Promise.all(clients.map((client) => untilTold(client, 300)));
  for (const client of clients) expect(dataOf(client).map(({ n }) => n)).toEqual(range(0, 300));
  expect(a.sse.stats().log).toMatchObject({ resumesFromMemory: 500, resumesFromRedis: 0 });
  const after = await commandCalls(redis);
  // Ticks go on, and the tail.
  const ticking = [
    'eval',
    'get',
    'set',
    'time',
    'xadd',
    'xdel',
    'xrevrange',
    'xtrim',
    'xread',
    'info',
    'client|setinfo',
    'client',
    'hello',
  ];
  const others = [...after].filter(([name, calls]) => calls !== before.get(name) && !ticking.includes(name));
  expect(others.filter(([name]) => !name.startsWith('client'))).toEqual([]);
  expect((after.get('eval') ?? 0) - (before.get('eval') ?? 0)).toBeLessThan(20);
});

it('goes on reading older pieces where it was when Redis was lost on the way', async () => {
  const redis = await startRedis();
  const proxy = await startProxy(redis.port);
  const a = await logHub(proxy.url, { log: { ringMaxBytes: 0 } });
  const { id = '' } = await a.sse.publishToAll(0);
  await Promise.all(range(1, 2000).map((n) => a.sse.publishToAll(n)));
  await expect.poll(() => a.sse.stats().bus.received).toBe(2000);
  proxy.blackhole();
  const clients = await Promise.all(range(0, 5).map(() => openStream(`${a.url}/ann`, { lastEventId: id })));
  await expect.poll(() => a.sse.stats().log.resumesFromRedis).toBe(5);
  proxy.heal();
  await Promise.all(clients.map((client) => untilTold(client, 1999)));
  for (const client of clients) expect(dataOf(client)).toEqual(range(1, 2000));
  expect(await redis.client().xlen(LOG)).toBeGreaterThanOrEqual(2000);
});

it('lets in a client that has nothing while events come, however little memory holds', async () => {
  const redis = await startRedis();
  const a = await logHub(redis.url, { log: { ringMaxBytes: 0 } });
  const disconnects = collect(a.sse, 'disconnect');
  const responses: MadeUpResponse[] = [];
  a.sse.on('publish', () => {
    const response = new MadeUpResponse();
    responses.push(response);
    a.sse.registerConnection('ann', response.asResponse());
  });
  await Promise.all(range(0, 200).map((n) => a.sse.publishToAll(n)));
  const dataIn = ({ text }: MadeUpResponse) => [...text.matchAll(/^data: (\d+)$/gm)].map(([, n]) => Number(n));
  // Each came when the event of its number did. What was sent in a tick is written in as many turns as it takes.
  const whole = range(1, 201).map((from) => range(from, 200));
  await expect.poll(() => responses.map(dataIn)).toEqual(whole);
  await flushed();
  expect(disconnects).toEqual([]);
  // Each was told where it stands, and nothing twice.
  for (const { text } of responses) expect(text.match(/^event: .*$/gm)).toEqual(['event: server:cursor']);
  expect(responses.map(dataIn)).toEqual(whole);
});

it('gives a room’s events to a client that joins while it reads older ones, from then on', async () => {
  const { a, id } = await published(1200, 100_000);
  const client = await openStream(`${a.url}/ann`, { lastEventId: id });
  expect((await a.handle(1)).join('r')).toBe(true);
  await a.sse.publishToRoom('r', { n: 1200 });
  await client.until((reader) => dataOf(reader).some(({ n }) => n === 1200));
  expect(dataOf(client).map(({ n }) => n)).toEqual([...range(0, 1200).filter((n) => n % 3 !== 1), 1200]);
  expect(gapsOf(client)).toEqual([]);
});

it('resends a room’s events on join with replay, and tells of a gap where they are no longer in memory', async () => {
  const { a, id } = await published(300, 10_000_000);
  const client = await openStream(`${a.url}/ann`, { lastEventId: id });
  await untilTold(client, 200);
  const handle = await a.handle(1);
  expect(handle.join('r', { replay: true })).toBe(true);
  await untilTold(client, 300);
  const ofRoom = client.events.filter(({ data }) => data !== '' && JSON.parse(data).n % 3 === 1);
  expect(ofRoom.map(({ data }) => JSON.parse(data).n)).toEqual(range(0, 300).filter((n) => n % 3 === 1));
  expect(ofRoom.every((event) => event.id === undefined)).toBe(true);
  handle.leave('r');
  expect(handle.join('r', { replay: true })).toBe(true);
  await a.sse.publishToRoom('r', { n: 301 });
  await untilTold(client, 301);

  const small = await published(1200, 50_000);
  const late = await openStream(`${small.a.url}/ann`, { lastEventId: small.id });
  await untilTold(late, 800);
  (await small.a.handle(1)).join('r', { replay: true });
  await small.a.sse.publishToRoom('r', { n: 1200 });
  await late.until((reader) => dataOf(reader).some(({ n }) => n === 1200));
  expect(gapsOf(late)).toEqual(['evicted']);
  const resent = dataOf(late)
    .filter(({ n }) => n % 3 === 1)
    .map(({ n }) => n);
  expect(resent.length).toBeGreaterThan(10);
  expect(resent).toEqual(
    range(0, 1200)
      .filter((n) => n % 3 === 1)
      .slice(-resent.length),
  );
});

it('resends nothing again to a client that comes back before anything else was said to it', async () => {
  const redis = await startRedis();
  const a = await logHub(redis.url);
  const { id = '' } = await a.sse.publishToAll({ n: 0 });
  const first = await openStream(`${a.url}/ann`, { lastEventId: id });
  const other = await openStream(`${a.url}/bob?rooms=r`);
  await a.sse.publishToRoom('r', { n: 1 });
  await untilTold(other, 1);
  (await a.handle(0)).join('r', { replay: true });
  await untilTold(first, 1);
  first.close();
  const again = await openStream(`${a.url}/ann?rooms=r`, { lastEventId: first.lastEventId || id });
  await a.sse.publishToRoom('r', { n: 2 });
  await again.until((reader) => dataOf(reader).some(({ n }) => n === 2));
  expect(dataOf(again).map(({ n }) => n)).toEqual([2]);
});

it('tells a client where it stands only behind all rooms that it joined at once with their history', async () => {
  const redis = await startRedis();
  const a = await logHub(redis.url);
  const { id = '' } = await a.sse.publishToAll({ n: 0 });
  const response = new MadeUpResponse();
  const handle = a.sse.registerConnection('ann', response.asResponse(), { lastEventId: id });
  await a.sse.publishToRoom('r', { n: 1 });
  await a.sse.publishToRoom('s', { n: 2 });
  await a.sse.publishToRoom('other', { n: 3 });
  await expect.poll(() => a.sse.stats().bus.received).toBe(4);
  for (const room of ['r', 's']) handle.join(room, { replay: true });
  await flushed();
  expect(response.text.match(/^event: .*$|"n":\d/gm)).toEqual(['"n":1', '"n":2', 'event: server:cursor']);
});

it('looks at few events for each piece, in however many rooms a client is, and at each', () => {
  const ring = new Ring(1_000_000, 1e9);
  const rooms = range(0, 40).map((room) => roomScope(`r${room}`));
  let looks = 0;
  for (const order of range(1, 20_001)) {
    const id = { ms: order, seq: 0 };
    const frame = encodeEvent({ id: `${order}-0`, text: '' }, order);
    const get = () => {
      looks += 1;
      return order;
    };
    Object.defineProperty(frame, 'order', { get });
    ring.append(id, rooms[(order * 7919) % rooms.length] ?? expect.fail(), frame);
  }
  const read: (string | undefined)[] = [];
  for (let place = 0; place < 20_000; ) {
    looks = 0;
    const { frames, upTo } = ring.after(place, rooms);
    expect(looks).toBeLessThan(200_000);
    read.push(...frames.map(({ id }) => id));
    place = upTo;
  }
  expect(read).toEqual(range(1, 20_001).map((order) => `${order}-0`));
});

it('lets go of what is older than the window little by little, and of what is too much for its memory at once', () => {
  const append = (ring: Ring, order: number, ms: number, text = '') =>
    ring.append({ ms, seq: order }, roomScope('r'), encodeEvent({ id: `${ms}-${order}`, text }, order));
  const ring = new Ring(1000, 1e9);
  for (const order of range(1, 5001)) append(ring, order, 1);
  append(ring, 5001, 1_000_000);
  expect(ring.size.items).toBeGreaterThan(4000);
  for (const order of range(5002, 5102)) append(ring, order, 1_000_000);
  expect(ring.size.items).toBe(101);
  expect(ring.reaches({ ms: 1, seq: 4999 })).toBe(false);

  const small = new Ring(1_000_000, 1_000_000);
  for (const order of range(1, 2001)) append(small, order, 1);
  append(small, 2001, 1, 'x'.repeat(900_000));
  expect(small.size.bytes).toBeLessThanOrEqual(1_000_000);
});

it('makes no two pages ready in one turn, however many come together', async () => {
  const turns: number[] = [];
  let turn = 0;
  const counting = setImmediate(function next() {
    turn += 1;
    if (turns.length < 8) setImmediate(next);
  });
  onTestFinished(() => clearImmediate(counting));
  const link: Link = {
    alive: true,
    cluster: false,
    listen: () => undefined,
    renew: () => undefined,
    end: () => undefined,
    subscribe: () => Promise.resolve(),
    unsubscribe: () => Promise.resolve(),
    check: () => Promise.resolve(),
    call: () => Promise.resolve([['5-0', ['m', '{}', 'n', '1']]]),
  };
  const pages = new Pages(link, 'log', () => {
    turns.push(turn);
    return { entries: [], first: undefined };
  });
  await Promise.all(range(0, 8).map((seq) => pages.from({ ms: 1, seq })));
  expect(new Set(turns).size).toBe(8);
});
