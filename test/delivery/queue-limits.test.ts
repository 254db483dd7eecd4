import { expect, it } from 'vitest';
import { type RegisterOptions, SSEKify, type SSEKifyOptions } from '../../src/index.js';
import { collect } from '../helpers/emitted.js';
import { flushed, MadeUpResponse } from '../helpers/made-up-response.js';
import { endWithTest } from '../helpers/server.js';

/** A connection whose client has just stopped taking bytes; what it got so far is forgotten. */
async function stalled(register: RegisterOptions, hub: SSEKifyOptions = {}) {
  const sse = new SSEKify({ keepAliveMs: 0, ...hub });
  endWithTest(sse);
  const response = new MadeUpResponse();
  const handle = sse.registerConnection('ann', response.asResponse(), register);
  sse.sendToUser('ann', 'before', { id: 'before' });
  await flushed();
  response.takes = false;
  sse.sendToUser('ann', 'taken', { id: 'taken' });
  await flushed();
  response.writes.length = 0;
  /** Sends numbered events that are 100 bytes on the wire each, and returns the counts. */
  const send = (from: number, to: number) => {
    const counts: number[] = [];
    for (let n = from; n <= to; n += 1) {
      const id = `id-${String(n).padStart(3, '0')}`;
      counts.push(sse.sendToUser('ann', 'x'.repeat(100 - `id: ${id}\ndata: \n\n`.length), { id, text: true }));
    }
    return counts;
  };
  const drain = async () => {
    response.takes = true;
    response.drain();
    await flushed();
  };
  const got = () => {
    const seen = [...response.text.matchAll(/^id: id-(\d+)$|^event: (server:gap)\ndata: (.*)$/gm)];
    return seen.map(([, number, gap, data]) => (gap === undefined ? Number(number) : JSON.parse(data ?? '')));
  };
  return { sse, response, handle, send, drain, got };
}

const numbers = (from: number, to: number) => Array.from({ length: to - from + 1 }, (_, n) => from + n);
const gapAfter = (lastEventId: string) => ({ lastEventId, reason: 'dropped' });

it('writes nothing while a client is stalled, and never twice what was answered false', async () => {
  const { response, send, drain, got } = await stalled({});
  send(1, 3);
  await flushed();
  expect(response.writes).toEqual([]);
  await drain();
  await flushed();
  expect(got()).toEqual([1, 2, 3]);
  expect(response.text).not.toContain('taken');
});

it('drops the oldest over maxQueueItems, and says so once before what is left', async () => {
  const { sse, send, drain, got } = await stalled({ maxQueueItems: 4 });
  expect(send(1, 10)).toEqual(Array(10).fill(1));
  expect(sse.stats()).toMatchObject({ droppedOldest: 6, droppedNewest: 0, queueItemsMax: 4, queueBytesMax: 400 });
  await drain();
  expect(got()).toEqual([gapAfter('taken'), 7, 8, 9, 10]);
  expect(sse.stats()).toMatchObject({ gaps: { dropped: 1 }, sent: 12 });
});

it('drops the oldest over maxQueueBytes, counted in UTF-8', async () => {
  const { sse, send, drain, got } = await stalled({ maxQueueBytes: 350 });
  expect(send(1, 5)).toEqual(Array(5).fill(1));
  expect(sse.stats()).toMatchObject({ droppedOldest: 2, queueItemsMax: 3, queueBytesMax: 300 });
  // 30 characters and 60 bytes; it takes the place of one frame.
  sse.sendToUser('ann', 'ä'.repeat(30), { id: 'id-006', text: true });
  expect(sse.stats()).toMatchObject({ droppedOldest: 3 });
  await drain();
  expect(got()).toEqual([gapAfter('taken'), 4, 5, 6]);
});

it('refuses the newest, and says so once where they would have been', async () => {
  const { sse, send, drain, got } = await stalled({ maxQueueItems: 3, dropPolicy: 'newest' });
  expect(send(1, 8)).toEqual([1, 1, 1, 0, 0, 0, 0, 0]);
  expect(sse.stats()).toMatchObject({ droppedOldest: 0, droppedNewest: 5, queueItemsMax: 3, sent: 5 });
  await drain();
  expect(got()).toEqual([1, 2, 3, gapAfter('id-003')]);
  send(9, 9);
  await flushed();
  expect(got()).toEqual([1, 2, 3, gapAfter('id-003'), 9]);
  expect(sse.stats()).toMatchObject({ gaps: { dropped: 1 } });
});

it('refuses the newest over maxQueueBytes', async () => {
  const { sse, send, drain, got } = await stalled({ maxQueueBytes: 250, dropPolicy: 'newest' });
  expect(send(1, 4)).toEqual([1, 1, 0, 0]);
  expect(sse.sendToUser('ann', 'small', { id: 'id-005' })).toBe(1);
  expect(sse.stats()).toMatchObject({ droppedNewest: 2 });
  await drain();
  expect(got()).toEqual([1, 2, gapAfter('id-002'), 5]);
});

it.each(['oldest', 'newest', 'disconnect'] as const)(
  'loses no event for a comment, and tells of no gap where only a comment was lost (%s)',
  async (dropPolicy) => {
    const { sse, handle, send, drain, got } = await stalled({ maxQueueItems: 3, dropPolicy });
    expect(handle.comment('first of those that wait')).toBe(false);
    expect(send(1, 3)).toEqual([1, 1, 1]);
    expect(handle.comment('one too many')).toBe(false);
    expect(handle.closed).toBe(false);
    await drain();
    expect(handle.comment('read again')).toBe(true);
    expect(send(4, 4)).toEqual([1]);
    await flushed();
    expect(got()).toEqual([1, 2, 3, 4]);
    expect(sse.stats()).toMatchObject({ droppedOldest: 0, droppedNewest: 0, gaps: { dropped: 0 } });
  },
);

it('disconnects over a limit with that policy, and counts it', async () => {
  const { sse, response, send } = await stalled({ maxQueueItems: 3, dropPolicy: 'disconnect' });
  const left = collect(sse, 'disconnect');
  expect(send(1, 5)).toEqual([1, 1, 1, 0, 0]);
  expect(left).toMatchObject([{ userId: 'ann', reason: 'backpressure' }]);
  const { connections, disconnectedByBackpressure, droppedOldest, droppedNewest, sent } = sse.stats();
  expect({ connections, disconnectedByBackpressure, droppedOldest, droppedNewest, sent }).toEqual({
    connections: 0,
    disconnectedByBackpressure: 1,
    droppedOldest: 0,
    droppedNewest: 0,
    sent: 5,
  });
  expect(response.ends).toBe(1);
  expect(response.writes).toEqual([]);
});

it.each(['oldest', 'newest', 'disconnect'] as const)(
  'refuses a frame larger than the queue may be, and loses nothing queued for it (%s)',
  async (dropPolicy) => {
    const { sse, handle, send, drain, got } = await stalled({ maxQueueBytes: 500, dropPolicy });
    send(1, 2);
    expect(sse.sendToUser('ann', 'x'.repeat(500), { id: 'large' })).toBe(0);
    expect(handle.closed).toBe(false);
    expect(send(3, 3)).toEqual([1]);
    expect(sse.stats()).toMatchObject({ droppedOldest: 0, droppedNewest: 1, connections: 1 });
    await drain();
    expect(got()).toEqual([1, 2, gapAfter('id-002'), 3]);
  },
);

it('tells of every run of losses once, each in its place', async () => {
  const { sse, send, drain, got, response } = await stalled({ maxQueueItems: 3, maxQueueBytes: 400 });
  const large = () => sse.sendToUser('ann', 'x'.repeat(500), { id: 'large' });
  large();
  large();
  send(1, 1);
  large();
  send(2, 2);
  await drain();
  expect(got()).toEqual([gapAfter('taken'), 1, gapAfter('id-001'), 2]);
  response.takes = false;
  sse.sendToUser('ann', 'again', { id: 'again' });
  await flushed();
  response.writes.length = 0;
  large();
  send(3, 6);
  await drain();
  expect(got()).toEqual([gapAfter('again'), 4, 5, 6]);
  expect(sse.stats()).toMatchObject({ droppedOldest: 1, droppedNewest: 4, gaps: { dropped: 3 } });
});

it('tells the application of losses, also when the client is told nothing', async () => {
  const { sse, send, drain, got } = await stalled({ maxQueueItems: 1 }, { gapEvent: false });
  const gaps = collect(sse, 'gap');
  send(1, 3);
  expect(gaps).toEqual([]);
  await drain();
  expect(got()).toEqual([3]);
  expect(gaps).toMatchObject([{ userId: 'ann', lastEventId: 'taken', reason: 'dropped' }]);
});

it('tells of a loss by the last id there was, whatever was written behind it', async () => {
  const { sse, handle, response, send, drain, got } = await stalled({ maxQueueItems: 1 });
  await drain();
  response.takes = false;
  sse.sendToUser('ann', 'x', { id: 'last' });
  handle.comment('no id');
  await flushed();
  send(1, 2);
  await drain();
  expect(got()).toEqual([gapAfter('last'), 2]);
});

it('tells of a loss behind an event that was written in parts by the id of that event', async () => {
  const { sse, response, send, drain, got } = await stalled({ maxQueueItems: 1, maxQueueBytes: 400_000 });
  sse.sendToUser('ann', 'x'.repeat(300_000), { id: 'in parts' });
  for (let part = 0; part < 2; part += 1) {
    response.drain();
    await flushed();
  }
  send(1, 2);
  response.takes = true;
  for (let part = 0; part < 2; part += 1) await drain();
  expect(got()).toEqual([gapAfter('in parts'), 2]);
});

it.each([
  ['told of the loss', undefined, 1, [gapAfter('taken'), 3, 101, 102]],
  ['told nothing', false, 0, [101, 102]],
] as const)('brings a client that is %s what a listener sends that hears of it, however large', async (...row) => {
  const [, gapEvent, maxQueueItems, expected] = row;
  const { sse, send, drain, got } = await stalled({ maxQueueItems, maxQueueBytes: 100 }, { gapEvent });
  let gaps = 0;
  sse.on('gap', () => {
    gaps += 1;
    if (gaps < 100) for (const id of ['id-101', 'id-102']) sse.sendToUser('ann', 'x'.repeat(1000), { id });
  });
  send(1, 3);
  await drain();
  expect(got()).toEqual(expected);
  expect(gaps).toBe(1);
});

it.each([
  ['maxQueueItems', { maxQueueItems: 0 }],
  ['maxQueueBytes', { maxQueueBytes: 0 }],
])('keeps nothing with a %s of 0', async (_name, register) => {
  const { sse, send, drain, got } = await stalled(register);
  expect(send(1, 3)).toEqual([0, 0, 0]);
  expect(sse.stats()).toMatchObject({ droppedNewest: 3, queueItemsMax: 0 });
  await drain();
  expect(got()).toEqual([gapAfter('taken')]);
});

it('disconnects at the first frame that waits with maxQueueItems 0 and that policy', async () => {
  const { sse, send } = await stalled({ maxQueueItems: 0, dropPolicy: 'disconnect' });
  expect(send(1, 1)).toEqual([0]);
  expect(sse.stats()).toMatchObject({ connections: 0, disconnectedByBackpressure: 1 });
});

it('keeps the limits while it drains, until it has caught up', async () => {
  const { sse, response, send, drain, got } = await stalled({ maxQueueItems: 2 });
  send(1, 2);
  response.drain();
  // Drained, and not yet written to again: what waits still counts.
  send(3, 3);
  await flushed();
  await drain();
  send(4, 20);
  await flushed();
  expect(got()).toEqual([gapAfter('taken'), 2, 3, ...numbers(4, 20)]);
  expect(sse.stats()).toMatchObject({ droppedOldest: 1 });
});

it('lets accepted frames leave before it closes, and takes no new ones', async () => {
  const { sse, handle, response, send, drain, got } = await stalled({ maxQueueItems: 5 });
  send(1, 3);
  handle.close();
  handle.close();
  expect(handle.closed).toBe(true);
  expect(handle.send('late')).toBe(false);
  expect(handle.comment('late')).toBe(false);
  expect(handle.join('late')).toBe(false);
  expect(send(4, 4)).toEqual([0]);
  expect(sse.stats()).toMatchObject({ connections: 0, rooms: 0, droppedNewest: 0 });
  await flushed();
  expect(response).toMatchObject({ ends: 0, writes: [] });
  await drain();
  expect(got()).toEqual([1, 2, 3]);
  expect(response.text).not.toContain('late');
  expect(response.ends).toBe(1);
});

it('says farewell to a client that is behind without dropping a frame for it', async () => {
  for (const dropPolicy of ['oldest', 'newest', 'disconnect'] as const) {
    const { sse, send, drain, got, response } = await stalled({ maxQueueItems: 3, dropPolicy });
    send(1, 3);
    const over = sse.shutdown({ announce: false, graceMs: 100 });
    await drain();
    await over;
    expect(got()).toEqual([1, 2, 3]);
    expect(response.text).toMatch(/retry: \d+\n\n$/);
    expect(sse.stats()).toMatchObject({ droppedOldest: 0, droppedNewest: 0, disconnectedByBackpressure: 0 });
  }
});

it.each(['oldest', 'newest', 'disconnect'] as const)(
  'tells why it is closed to a client whose queue is full, and loses nothing for it (%s)',
  async (dropPolicy) => {
    const { sse, response, send, drain, got } = await stalled({ maxQueueItems: 3, dropPolicy });
    const left = collect(sse, 'disconnect');
    send(1, 3);
    await sse.publishClose('ann', { reason: 'signed-out' });
    await drain();
    expect(got()).toEqual([1, 2, 3]);
    expect(response.text).toContain('event: server:close\ndata: {"reason":"signed-out"}\n\n');
    expect(response.ends).toBe(1);
    expect(left).toMatchObject([{ reason: 'server' }]);
    expect(sse.stats()).toMatchObject({ droppedOldest: 0, droppedNewest: 0, sent: 6, gaps: { dropped: 0 } });
  },
);

it.each(['oldest', 'newest', 'disconnect'] as const)(
  'announces its shutdown to a client whose queue is full, and loses nothing for it (%s)',
  async (dropPolicy) => {
    const { sse, response, send, drain, got } = await stalled({ maxQueueItems: 3, dropPolicy });
    const left = collect(sse, 'disconnect');
    send(1, 3);
    const over = sse.shutdown({ graceMs: 1000 });
    await drain();
    await over;
    expect(got()).toEqual([1, 2, 3]);
    expect(response.text).toMatch(/event: server:shutdown\ndata: {"code":"SHUTDOWN","at":\d+}\n\nretry: \d+\n\n$/);
    expect(left).toMatchObject([{ reason: 'shutdown' }]);
    expect(sse.stats()).toMatchObject({ droppedOldest: 0, droppedNewest: 0, sent: 6, gaps: { dropped: 0 } });
  },
);
