import { expect, it } from 'vitest';
import { openStream } from '../helpers/client.js';
import { collect } from '../helpers/emitted.js';
import { flushed } from '../helpers/made-up-response.js';
import { serveHub } from '../helpers/server.js';

it('sends to one connection alone, live: unrecorded and without an id', async () => {
  const { sse, url, handle } = await serveHub();
  const first = await openStream(`${url}/ann`);
  const connection = await handle(0);
  const second = await openStream(`${url}/ann`);
  await handle(1);
  expect(connection.send({ to: 'first' }, { event: 'note' })).toBe(true);
  expect(connection.send('named', { id: 'mine', retry: 5 })).toBe(true);
  await first.received(2);
  expect(first.events[0]).toMatchObject({ event: 'note', id: undefined });
  expect(JSON.parse(first.events[0]?.data ?? '')).toMatchObject({ to: 'first' });
  expect(first.events[1]).toMatchObject({ id: 'mine', data: '"named"' });
  sse.sendToUser('ann', 'both');
  expect(await second.received(1)).toMatchObject([{ data: '"both"' }]);
  expect(sse.stats()).toMatchObject({ recentItems: 1, sent: 4 });
});

it.each([
  ['data: forged', 'LF', 'x\ndata: forged\n\nevent: forged'],
  ['data: forged', 'CRLF', 'x\r\ndata: forged\r\n\r\nid: forged\r\n\r\n'],
  ['data: forged', 'CR', 'x\rdata: forged\r\rretry: 1\r\r'],
  ['an empty text', 'nothing', ''],
  ['characters of every kind', 'NUL and surrogates', 'a\0b \ud800 😀'],
])('keeps %s in a comment with %s from becoming a field', async (_what, _with, text) => {
  const { url, handle } = await serveHub();
  const client = await openStream(`${url}/ann`);
  expect((await handle(0)).comment(text)).toBe(true);
  (await handle(0)).send('next', { event: 'next' });
  await client.event('next');
  expect(client.events).toHaveLength(1);
  expect(client.lastEventId).toBe('');
  expect(client.retries).toEqual([2000]);
  for (const line of client.raw.split('\n').slice(2)) expect(line).toMatch(/^(: ?.*|event: next|data: "next"|)$/s);
});

it('does nothing any more once it is closed', async () => {
  const { sse, url, handle } = await serveHub();
  const client = await openStream(`${url}/ann?rooms=a`);
  const connection = await handle(0);
  const all = collect(sse, 'disconnect');
  const { connId } = connection;
  connection.close();
  connection.close();
  expect(connection).toMatchObject({ closed: true, refused: undefined, connId, userId: 'ann', rooms: [] });
  expect(connection.send('x')).toBe(false);
  expect(connection.comment('x')).toBe(false);
  expect(connection.join('b')).toBe(false);
  expect(connection.join('b', { replay: true })).toBe(false);
  expect(connection.leave('a')).toBe(false);
  await client.over;
  connection.close();
  expect(connection.send('x')).toBe(false);
  await flushed();
  expect(all).toHaveLength(1);
  expect(client.raw).toBe('retry: 2000\n\n');
  expect(sse.stats()).toMatchObject({ connections: 0, rooms: 0, sent: 0, droppedNewest: 0 });
});

it('gives every connection an id of its own', async () => {
  const { sse, url, handles, handle } = await serveHub();
  for (let n = 0; n < 5; n += 1) await openStream(`${url}/ann`);
  await handle(4);
  const ids = handles.map(({ connId }) => connId);
  expect(new Set(ids).size).toBe(5);
  expect(sse.getUserConnectionIds('ann')).toEqual(ids);
});
