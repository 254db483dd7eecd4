import { expect, it } from 'vitest';
import { SSEKify } from '../../src/index.js';
import { flushed, MadeUpResponse } from '../helpers/made-up-response.js';
import { usedBytes } from '../helpers/memory.js';
import { endWithTest } from '../helpers/server.js';

const idsIn = (text: string) => [...text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n);

function hub() {
  const sse = new SSEKify({ recentBufferSize: 200, connection: { maxQueueItems: 10, maxQueueBytes: 4000 } });
  endWithTest(sse);
  const send = (from: number, to: number, text = 'x') => {
    let count = 0;
    for (let n = from; n <= to; n += 1) count += sse.sendToUser('ann', text, { id: n, text: true });
    return count;
  };
  return { sse, send };
}

it('resends what was missed outside the limits, and never drops or counts it', async () => {
  const { sse, send } = hub();
  send(1, 150, 'x'.repeat(1000));
  const response = new MadeUpResponse();
  response.takes = false;
  sse.registerConnection('ann', response.asResponse(), { lastEventId: '1' });
  await flushed();
  // Behind the replay the live ones wait under the limits.
  expect(send(151, 200)).toBe(50);
  expect(sse.stats()).toMatchObject({ droppedOldest: 40, queueItemsMax: 10, replayed: 149 });
  for (let turn = 0; turn < 20; turn += 1) {
    response.drain();
    await flushed();
  }
  expect(idsIn(response.text)).toEqual([...numbers(2, 150), ...numbers(191, 200)]);
  expect(response.text.match(/server:gap\ndata: .*/g)).toEqual([
    'server:gap\ndata: {"lastEventId":"150","reason":"dropped"}',
  ]);
  for (const write of response.writes) expect(Buffer.byteLength(write)).toBeLessThanOrEqual(64 * 1024);
});

it('takes what is sent in the tick of the registration whole, behind the replay', async () => {
  const { sse, send } = hub();
  send(1, 20);
  const response = new MadeUpResponse();
  sse.registerConnection('ann', response.asResponse(), { lastEventId: '5' });
  expect(send(21, 300)).toBe(280);
  await flushed();
  expect(idsIn(response.text)).toEqual(numbers(6, 300));
  expect(sse.stats()).toMatchObject({ droppedOldest: 0, droppedNewest: 0 });
});

it('keeps the order when a room is joined with replay while frames wait', async () => {
  const { sse, send } = hub();
  send(1, 1);
  for (let n = 100; n < 110; n += 1) sse.sendToRoom('news', 'x', { id: n });
  const response = new MadeUpResponse();
  const handle = sse.registerConnection('ann', response.asResponse(), { lastEventId: '1' });
  await flushed();
  response.takes = false;
  send(2, 2);
  await flushed();
  send(3, 5);
  expect(handle.join('news', { replay: true })).toBe(true);
  send(6, 8);
  response.takes = true;
  response.drain();
  await flushed();
  expect(idsIn(response.text)).toEqual([2, 3, 4, 5, 6, 7, 8]);
  const resent = response.text.slice(response.text.indexOf('id: 5'), response.text.indexOf('id: 6'));
  expect(resent.match(/data: "x"/g)).toHaveLength(10);
  expect(sse.stats()).toMatchObject({ droppedOldest: 0, droppedNewest: 0 });
});

it.each([
  // What a room said while it was left comes whole; a gap stands where something was lost.
  ['oldest', [2, 'gap', 101, 'gap', 102, 13, 103, 14, 15], { droppedOldest: 2, droppedNewest: 0 }],
  ['newest', [2, 11, 101, 12, 102, 13, 103, 'gap'], { droppedOldest: 0, droppedNewest: 2 }],
] as const)('counts what waited when a room was joined with its history (%s)', async (dropPolicy, seen, counts) => {
  const { sse, send } = hub();
  send(1, 1);
  const response = new MadeUpResponse();
  const options = { lastEventId: '1', dropPolicy, maxQueueItems: 3 };
  const handle = sse.registerConnection('ann', response.asResponse(), options);
  await flushed();
  response.takes = false;
  send(2, 2);
  await flushed();
  for (let n = 1; n <= 3; n += 1) {
    send(10 + n, 10 + n);
    sse.sendToRoom('news', 'x', { id: 100 + n });
    handle.join('news', { replay: true });
    handle.leave('news');
  }
  send(14, 15);
  expect(sse.stats()).toMatchObject({ queueItemsMax: 3, ...counts });
  response.takes = true;
  response.drain();
  await flushed();
  const got = [...response.text.matchAll(/^id: (\d+)$|^event: server:(gap)$/gm)];
  expect(got.map(([, id, gap]) => gap ?? Number(id))).toEqual(seen);
});

it('has a large frame in memory once, however many slow clients are resent it', async () => {
  const { sse, send } = hub();
  send(1, 1);
  for (const text of ['x', 'y']) sse.sendToUser('ann', text.repeat(500_000), { text: true });
  const buffers = new Set<ArrayBufferLike>();
  const responses = Array.from({ length: 10 }, () => new MadeUpResponse());
  for (const response of responses) {
    const write = response.write.bind(response);
    response.write = (chunk, encoding) => {
      if (typeof chunk !== 'string') buffers.add(chunk.buffer);
      return write(chunk, encoding);
    };
    response.takes = false;
    sse.registerConnection('ann', response.asResponse(), { lastEventId: '1' });
    // Each comes at its own time, and garbage is collected between them.
    await flushed();
    response.drain();
    await flushed();
    usedBytes();
  }
  for (let piece = 0; piece < 20; piece += 1) {
    for (const response of responses) response.drain();
    await flushed();
  }
  expect(buffers.size).toBe(2);
  for (const { text } of responses)
    expect(text.match(/[xy]{500000}/g)).toEqual(['x'.repeat(500_000), 'y'.repeat(500_000)]);
});

it('joins no more of what a slow client missed than is written at once', async () => {
  const { sse, send } = hub();
  send(1, 41, 'x'.repeat(20_000));
  const response = new MadeUpResponse();
  const held: number[] = [];
  const write = response.write.bind(response);
  response.write = (chunk, encoding) => {
    held.push(typeof chunk === 'string' ? Buffer.byteLength(chunk) : chunk.buffer.byteLength);
    return write(chunk, encoding);
  };
  response.takes = false;
  sse.registerConnection('ann', response.asResponse(), { lastEventId: '1' });
  for (let piece = 0; piece < 20; piece += 1) {
    await flushed();
    response.drain();
  }
  expect(idsIn(response.text)).toEqual(numbers(2, 41));
  expect(Math.max(...held)).toBeLessThanOrEqual(64 * 1024);
});

it('gives each slow client its own events, when a large one is behind a loss for one of them', async () => {
  const sse = new SSEKify({ connection: { maxQueueBytes: 200_000, dropPolicy: 'newest' } });
  endWithTest(sse);
  const [ann, bob] = ['ann', 'bob'].map((user) => {
    const response = new MadeUpResponse();
    response.takes = false;
    sse.registerConnection(user, response.asResponse());
    return response;
  });
  await flushed();
  sse.sendToAll('x'.repeat(80_000), { text: true });
  sse.sendToUser('ann', 'refused'.repeat(80_000), { text: true });
  sse.sendToUser('ann', 'y'.repeat(80_000), { text: true });
  for (let piece = 0; piece < 5; piece += 1) {
    for (const response of [ann, bob]) response?.drain();
    await flushed();
  }
  const seen = (text = '') => text.match(/[xy]{80000}|dropped/g)?.map(([first]) => first);
  expect(seen(ann?.text)).toEqual(['x', 'd', 'y']);
  expect(seen(bob?.text)).toEqual(['x']);
});
