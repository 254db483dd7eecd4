import type { ServerResponse } from 'node:http';
import { expect, it } from 'vitest';
import { openStream, type StreamReader } from '../helpers/client.js';
import { collect } from '../helpers/emitted.js';
import { openHttp2, serveHttp2Hub } from '../helpers/http2.js';
import { serveHub } from '../helpers/server.js';
import { randomFrom, STALL_HUB, stall, turn } from '../helpers/stall.js';

const named = ({ events }: StreamReader, name: string | undefined) => events.filter(({ event }) => event === name);

it('gives a client that keeps up 10,000 frames of one tick whole, while one that is paused stays bounded', async () => {
  const { sse, url } = await serveHub({ hub: STALL_HUB });
  const healthy = await openStream(`${url}/ann`);
  const paused = await openStream(`${url}/bob`, { paused: true });
  await stall(sse, 'bob');
  for (let n = 0; n < 10_000; n += 1) expect(sse.sendToAll(n)).toBe(2);
  await healthy.received(10_000);
  expect(healthy.events.map(({ data }) => Number(data))).toEqual(Array.from({ length: 10_000 }, (_, n) => n));
  expect(sse.stats()).toMatchObject({ droppedOldest: 9_900, droppedNewest: 0, queueItemsMax: 100, connections: 2 });
  paused.resume();
  await paused.until(({ events }) => events.at(-1)?.data === '9999');
  expect(named(paused, 'filler')).toHaveLength(16);
  expect(named(paused, undefined).map(({ data }) => Number(data))).toEqual(
    Array.from({ length: 100 }, (_, n) => 9_900 + n),
  );
  expect(named(paused, 'server:gap')).toHaveLength(1);
});

it.each([1, 2, 3])(
  'neither repeats nor reorders for a client paused at random, and counts every drop (seed %d)',
  async (seed) => {
    const random = randomFrom(seed);
    const { sse, url } = await serveHub({ hub: STALL_HUB });
    const client = await openStream(`${url}/ann`, { paused: true });
    const gaps = collect(sse, 'gap');
    // Or the kernel's buffers might take all of it.
    await stall(sse, 'ann');
    const padding = 'x'.repeat(4 * 1024 - 60);
    let toggleAt = 500;
    let paused = true;
    for (let n = 0; n < 3000; n += 1) {
      if (n >= toggleAt) {
        paused = !paused;
        if (paused) client.pause();
        else client.resume();
        toggleAt = n + Math.floor(random() * (paused ? 2500 : 200));
      }
      expect(sse.sendToUser('ann', `${n} ${padding}`, { id: n, text: true })).toBe(1);
      if (random() < 0.3) await turn();
    }
    client.resume();
    sse.sendToUser('ann', 'end', { event: 'end' });
    await client.event('end');
    const ids = named(client, undefined).map(({ id }) => Number(id));
    const { droppedOldest, droppedNewest, sent } = sse.stats();
    expect(ids).toEqual([...new Set(ids)].sort((a, b) => a - b));
    expect(ids.length + droppedOldest).toBe(3000);
    expect(sent).toBe(16 + 3001);
    expect(droppedNewest).toBe(0);
    expect(droppedOldest).toBeGreaterThan(0);
    // Wherever numbers are missing there is a gap event that names the one before.
    const before: string[] = [];
    for (const [index, { event, data }] of client.events.entries()) {
      if (event !== 'server:gap') continue;
      expect(JSON.parse(data)).toEqual({ lastEventId: client.events[index - 1]?.id ?? '', reason: 'dropped' });
      before.push(JSON.parse(data).lastEventId);
    }
    const jumps = ids.filter((id, index) => id !== (ids[index - 1] ?? -1) + 1);
    expect(before).toHaveLength(jumps.length);
    expect(gaps).toHaveLength(jumps.length);
  },
);

it('holds nobody else up for a stalled client', async () => {
  const { sse, url } = await serveHub({ hub: STALL_HUB });
  await openStream(`${url}/slow`, { paused: true });
  await stall(sse, 'slow');
  const healthy = await openStream(`${url}/ann`);
  for (let n = 1; n <= 50; n += 1) {
    sse.sendToAll('x'.repeat(10_000));
    await healthy.received(n);
  }
  expect(sse.stats().queueBytesMax).toBeLessThanOrEqual(256 * 1024);
});

it('writes at most 64 KiB at a time behind a stall, also of one larger frame', async () => {
  const writes: { bytes: number; behind: boolean }[] = [];
  let behind = false;
  const { sse, url } = await serveHub({
    hub: { ...STALL_HUB, connection: { maxQueueBytes: 4 * 1024 * 1024 } },
    before: (_req, res: ServerResponse) => {
      const write = res.write.bind(res);
      res.write = (chunk: string | Buffer) => {
        const more = write(chunk);
        writes.push({ bytes: Buffer.byteLength(chunk), behind });
        behind ||= !more;
        return more;
      };
      res.on('drain', () => {
        behind = true;
      });
    },
  });
  const client = await openStream(`${url}/ann`, { paused: true });
  await stall(sse, 'ann');
  const sizes = [10, 200_000, 64 * 1024, 1_000_000, 70_000, 5];
  const texts = sizes.map((size, n) => String(n).repeat(size));
  for (const [n, text] of texts.entries()) expect(sse.sendToUser('ann', `${text}ä`, { id: n, text: true })).toBe(1);
  client.resume();
  await client.until(({ events }) => events.at(-1)?.id === '5');
  expect(named(client, undefined).map(({ data }) => data)).toEqual(texts.map((text) => `${text}ä`));
  expect(named(client, 'filler')).toHaveLength(16);
  const large = writes.filter(({ bytes, behind }) => behind && bytes > 64 * 1024);
  expect(large).toEqual([]);
  // It is filled, too: not one write per small frame.
  expect(writes.length).toBeLessThan(1000);
});

it('lets the frames of a client that is behind leave before it closes', async () => {
  const { sse, url } = await serveHub({ hub: STALL_HUB });
  const client = await openStream(`${url}/ann`, { paused: true });
  await stall(sse, 'ann');
  for (let n = 0; n < 100; n += 1) sse.sendToUser('ann', n);
  expect(sse.close('ann')).toBe(1);
  expect(sse.sendToUser('ann', 'late')).toBe(0);
  client.resume();
  await client.over;
  expect(client.ended).toBe(true);
  expect(named(client, undefined).map(({ data }) => Number(data))).toEqual(Array.from({ length: 100 }, (_, n) => n));
  expect(named(client, 'filler')).toHaveLength(16);
});

it('bounds a paused HTTP/2 stream, and lets it catch up', async () => {
  const { sse, url } = await serveHttp2Hub({ hub: STALL_HUB });
  const client = await openHttp2(url, '/ann', { paused: true });
  const other = await openHttp2(url, '/bob', client);
  await stall(sse, 'ann', 4);
  for (let n = 0; n < 1000; n += 1) expect(sse.sendToAll(n)).toBe(2);
  await other.received(1000);
  expect(sse.stats()).toMatchObject({ droppedOldest: 900, queueItemsMax: 100 });
  client.resume();
  await client.until(({ events }) => events.at(-1)?.data === '999');
  expect(named(client, undefined).map(({ data }) => Number(data))).toEqual(
    Array.from({ length: 100 }, (_, n) => 900 + n),
  );
});
