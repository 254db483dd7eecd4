import { afterEach, expect, it, vi } from 'vitest';
import { RecentFrames } from '../../src/delivery/recent-frames.js';
import { encodeEvent } from '../../src/wire/frame.js';
import { openStream, type StreamClient } from '../helpers/client.js';
import { MemoryBus } from '../helpers/memory-bus.js';
import { serveHub } from '../helpers/server.js';
import { randomFrom } from '../helpers/stall.js';

afterEach(() => vi.restoreAllMocks());

const seen = (client: StreamClient) => client.events.map(({ event, data }) => event ?? data);
const ids = (client: StreamClient) => client.events.map(({ id }) => id);

/** Texts of all the kinds that are kept differently, many times over. */
const texts = (count: number) =>
  Array.from({ length: count }, (_, index) => {
    const kinds = ['', 'plain', 'zwölf €', 'x'.repeat(index * 40), 'y'.repeat(2000)];
    return `${index}:${kinds[index % kinds.length]}`;
  });

const unasked = () => {
  throw new Error('it was kept as it is sent');
};

it('gives back what it kept for a user as it was sent, whatever was sent', async () => {
  const { sse, url } = await serveHub({ hub: { recentBufferSize: 50 } });
  const live = await openStream(`${url}/ann`);
  const sent = texts(130);
  for (const text of sent) sse.sendToUser('ann', text, { text: true });
  await live.received(130);
  const again = await openStream(`${url}/ann`, { lastEventId: ids(live)[79] ?? '' });
  await again.received(50);
  expect(seen(again)).toEqual(sent.slice(80));
  expect(ids(again)).toEqual(ids(live).slice(80));
});

it.each([1, 2, 3, 4, 5, 6])(
  'keeps the newest whatever their sizes, and goes on when it was emptied (seed %i)',
  async (seed) => {
    const random = randomFrom(seed);
    const items = 8 + Math.floor(random() * 30);
    const { sse, url } = await serveHub({ hub: { recentBufferSize: items } });
    const live = await openStream(`${url}/ann`);
    let kept: string[] = [];
    for (let count = 0; count < 400; count += 1) {
      const text = `${count}:${'x'.repeat(Math.floor(random() ** 3 * 1300))}${random() < 0.02 ? '€' : ''}`;
      sse.sendToUser('ann', text, { text: true });
      kept = [...kept, text].slice(-items);
      if (random() < 0.005) {
        sse.clearRecent('ann');
        kept = [];
      }
      if (random() > 0.03) continue;
      await live.received(count + 1);
      const missed = Math.min(kept.length, count, Math.floor(random() * items));
      const again = await openStream(`${url}/ann`, { lastEventId: ids(live).at(-1 - missed) ?? '' });
      await again.received(missed);
      expect(seen(again)).toEqual(missed === 0 ? [] : kept.slice(-missed));
      again.close();
    }
  },
);

it('gives back names, reconnection times and ids of all kinds from among what it packed', async () => {
  const { sse, url } = await serveHub({ hub: { recentBufferSize: 30 } });
  const live = await openStream(`${url}/ann`);
  const names = ['short', 'größe', '事件', 'x'.repeat(300), 'message'];
  for (let n = 0; n < 80; n += 1) {
    const id = n % 11 === 1 ? { id: `own-${n}` } : {};
    const retry = n % 3 === 0 ? { retry: 1000 + n } : {};
    const event = n === 60 ? 'y'.repeat(40_000) : (names[n % 5] ?? '');
    sse.sendToUser('ann', { n, text: n % 7 === 0 ? 'é' : 'e' }, { event, ...id, ...retry });
  }
  await live.received(80);
  for (const missed of [1, 2, 25, 29]) {
    const again = await openStream(`${url}/ann`, { lastEventId: ids(live).at(-1 - missed) ?? '' });
    await again.received(missed);
    expect(again.events).toEqual(live.events.slice(-missed));
    const begin = `id: ${ids(live).at(-missed)}\n`;
    expect(again.raw.slice(again.raw.indexOf(begin))).toBe(live.raw.slice(live.raw.indexOf(begin)));
    again.close();
  }
});

it('counts the bytes of what it keeps, and none when all of it is gone', async () => {
  const { sse } = await serveHub({ hub: { recentBufferSize: 30 } });
  for (const text of texts(97)) sse.sendToUser('ann', text, { text: true });
  const { recentItems, recentBytes } = sse.stats();
  expect(recentItems).toBe(30);
  expect(recentBytes).toBeGreaterThan(
    texts(97)
      .slice(-30)
      .reduce((sum, text) => sum + Buffer.byteLength(text), 0),
  );
  sse.clearRecent('ann');
  expect(sse.stats()).toMatchObject({ recentItems: 0, recentBytes: 0, recentBuffers: 0 });
});

it('tells a client that comes back after long that its events are gone, and gives it those that are there', async () => {
  const { sse, url } = await serveHub({ hub: { recentBufferSize: 6 } });
  const live = await openStream(`${url}/ann`);
  for (let index = 0; index < 40; index += 1) sse.sendToUser('ann', `${index}`, { text: true });
  await live.received(40);
  const again = await openStream(`${url}/ann`, { lastEventId: ids(live)[3] ?? '' });
  await again.received(7);
  expect(seen(again)).toEqual(['server:gap', '34', '35', '36', '37', '38', '39']);
  expect(JSON.parse(again.events[0]?.data ?? '')).toMatchObject({ reason: 'evicted' });
});

it('does not believe an id that only looks like one of its own', async () => {
  const { sse, url } = await serveHub();
  const live = await openStream(`${url}/ann`);
  sse.sendToUser('ann', 'first', { text: true });
  await live.received(1);
  const [id = ''] = ids(live);
  const head = id.slice(0, id.lastIndexOf('-') + 1);
  for (const forged of [`${head}99`, `${head}0`, `${head}1x`, `${head}01`, `${head}1e0`, head, `-${id}-`]) {
    const again = await openStream(`${url}/ann`, { lastEventId: forged });
    await again.received(2);
    expect([forged, ...seen(again)]).toEqual([forged, 'server:gap', 'first']);
  }
});

it('loses nothing for a client when its id was given to another event as well', async () => {
  const { sse, url } = await serveHub({ hub: { recentBufferSize: 3 } });
  const live = await openStream(`${url}/ann`);
  sse.sendToUser('ann', 'one', { text: true });
  await live.received(1);
  const [id = ''] = ids(live);
  sse.sendToUser('ann', 'two', { text: true });
  sse.sendToUser('bob', 'copy', { text: true, id });
  const again = await openStream(`${url}/ann`, { lastEventId: id });
  await again.received(1);
  expect(seen(again)).toEqual(['two']);
  for (let index = 0; index < 5; index += 1) sse.sendToUser('ann', `${index}`, { text: true });
  const late = await openStream(`${url}/ann`, { lastEventId: id });
  await late.received(4);
  expect(seen(late)).toEqual(['server:gap', '2', '3', '4']);
});

it('gives ids that look like automatic ones, but are not ASCII, as they are', async () => {
  const { sse, url } = await serveHub({ hub: { redis: new MemoryBus().adapter() } });
  await sse.ready();
  const live = await openStream(`${url}/ann`);
  const given = Array.from({ length: 8 }, (_, n) => `5-${'é日'.charAt(n % 2).repeat(10)}-${n}`);
  for (const id of given) await sse.publishToUser('ann', { id }, { id });
  await live.received(8);
  expect(ids(live)).toEqual(given);
  const again = await openStream(`${url}/ann`, { lastEventId: given[0] ?? '' });
  await again.received(7);
  expect(ids(again)).toEqual(given.slice(1));
});

it('knows the order of what it packed, however much was sent before', () => {
  const frames = new RecentFrames(true);
  const orders = [2 ** 8, 2 ** 16, 2 ** 24, 2 ** 31, 2 ** 32, 2 ** 40, 2 ** 47].flatMap((each) => [each - 1, each]);
  for (const order of orders) frames.push(encodeEvent({ id: 'a', unique: true, text: 'x' }, order, true));
  expect(Array.from(frames.newestFirst(unasked), ({ order }) => order)).toEqual([...orders].reverse());
  expect(orders.map(() => frames.shift()?.order)).toEqual(orders);
});

it('makes room for what is packed, however little of it is left', () => {
  for (let size = 0; size <= 1000; size += 25) {
    const frames = new RecentFrames(true);
    const texts = [...'abcd', 'e'.repeat(size), 'f'.repeat(1000), 'g'.repeat(size), 'h'.repeat(1000)];
    texts.forEach((text, n) => {
      frames.push(encodeEvent({ id: `${n}`, unique: true, event: 'i'.repeat(150), text }, n, true));
    });
    const kept = Array.from(frames.newestFirst(unasked), (frame) => /data: (.*)/.exec(frame.text)?.[1]);
    expect(kept).toEqual(texts.reverse());
  }
});

it('keeps the newest of events of one size, in no more room however many pass', () => {
  const allocate = vi.spyOn(Buffer, 'allocUnsafeSlow');
  for (let size = 0; size <= 110; size += 1) {
    const frames = new RecentFrames(true);
    let kept: string[] = [];
    for (let n = 100; n < 300; n += 1) {
      const text = `${n}${'x'.repeat(size)}`;
      frames.push(encodeEvent({ id: `${n}`, unique: true, text }, n, true));
      kept = [...kept, text].slice(-7);
      if (frames.length > 7) frames.shift();
    }
    expect(Array.from(frames.newestFirst(unasked), (frame) => /data: (.*)/.exec(frame.text)?.[1])).toEqual(
      kept.reverse(),
    );
  }
  expect(Math.max(...allocate.mock.calls.map(([bytes]) => bytes))).toBeLessThanOrEqual(2048);
});
