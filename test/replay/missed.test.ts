import { expect, it } from 'vitest';
import { openStream, type StreamClient } from '../helpers/client.js';
import { serveHub } from '../helpers/server.js';

const data = (client: StreamClient) => client.events.map((event) => event.data);

it('resends what was addressed to the user, its rooms and everyone, in send order and before anything live', async () => {
  const { sse, url, handle } = await serveHub();
  sse.sendToUser('ann', 'seen', { id: 'p', text: true });
  sse.sendToRoom('a', 'room a', { text: true });
  sse.sendToUser('bob', 'for bob', { text: true });
  sse.sendToAll('all', { text: true });
  sse.sendToRoom('c', 'room c', { text: true });
  sse.sendToUser('ann', 'own', { text: true, event: 'note', retry: 7 });
  sse.sendToRoom('b', 'room b', { text: true });
  await sse.publish('published', 'ann', { text: true });
  const client = await openStream(`${url}/ann?rooms=a,b`, { lastEventId: 'p' });
  await handle(0);
  sse.sendToUser('ann', 'live', { text: true });
  await client.received(6);
  expect(data(client)).toEqual(['room a', 'all', 'own', 'room b', 'published', 'live']);
  expect(client.events[2]?.event).toBe('note');
  expect(client.retries).toEqual([2000, 7]);
  expect(new Set(client.events.map(({ id }) => id)).size).toBe(6);
  expect(sse.stats()).toMatchObject({ replayed: 5, gaps: { unknown: 0, evicted: 0 } });
});

it('resends nothing to a client without a position', async () => {
  const { sse, url, handle } = await serveHub();
  sse.sendToUser('ann', 'before', { text: true });
  const client = await openStream(`${url}/ann`);
  await handle(0);
  sse.sendToUser('ann', 'after', { text: true });
  await client.received(1);
  expect(data(client)).toEqual(['after']);
});

it('keeps a room and a user of one name apart, whatever the name', async () => {
  const { sse, url, handle } = await serveHub();
  const names = ['a', '__proto__', 'constructor', '*', 'all', 'user:a', ' '];
  sse.sendToAll('start', { id: 'start', text: true });
  for (const name of names) {
    sse.sendToRoom(name, `room ${name}`, { text: true });
    sse.sendToUser(name, `user ${name}`, { text: true });
  }
  for (const [index, name] of names.entries()) {
    const client = await openStream(`${url}/${encodeURIComponent(name)}`, { lastEventId: 'start' });
    (await handle(index)).send('end');
    await client.until(({ events }) => events.at(-1)?.data === '"end"');
    expect(data(client)).toEqual([`user ${name}`, '"end"']);
  }
});

it('finds the place of an id that was not well-formed as its client read it', async () => {
  const { sse, url } = await serveHub();
  sse.sendToUser('ann', 'seen', { id: 'a\uD800', text: true });
  sse.sendToUser('ann', 'missed', { text: true });
  const client = await openStream(`${url}/ann`, { lastEventId: 'a\uFFFD' });
  await client.received(1);
  expect(data(client)).toEqual(['missed']);
});

it('takes 42 and "42" as one user', async () => {
  const { sse, url } = await serveHub();
  sse.sendToUser(42, 'one', { id: 'one', text: true });
  sse.sendToUser('42', 'two', { text: true });
  const client = await openStream(`${url}/42`, { lastEventId: 'one' });
  await client.received(1);
  expect(data(client)).toEqual(['two']);
});

it('orders by sending, never by the text or the clock of ids', async () => {
  const { sse, url } = await serveHub();
  const hour = 3_600_000;
  const now = Date.now();
  const ids = [
    'zzz',
    'yyy',
    '9',
    '10',
    'b',
    'a',
    `${now + hour}-x-1`,
    `${now}-y-1`,
    `${now + hour}-x-2`,
    `${now - hour}-z-1`,
  ];
  for (const id of ids) sse.sendToUser('ann', id, { id, text: true });
  for (const [index, id] of ids.entries()) {
    const client = await openStream(`${url}/ann`, { lastEventId: id });
    await client.received(ids.length - index - 1);
    sse.sendToUser('ann', 'x', { text: true, event: 'stop', id: '' });
    await client.event('stop');
    expect(data(client).filter((each) => each !== 'x')).toEqual(ids.slice(index + 1));
  }
  expect(sse.stats().gaps).toMatchObject({ unknown: 0, evicted: 0 });
});

it('does not record events without an id, nor what goes to one connection only', async () => {
  const { sse, url, handle } = await serveHub({ hub: { seq: { frameIdPolicy: 'none' } } });
  const first = await openStream(`${url}/ann`);
  const ann = await handle(0);
  sse.sendToUser('ann', 'with', { id: 'with', text: true });
  sse.sendToUser('ann', 'without', { text: true });
  ann.send('only here', { text: true });
  await first.received(3);
  expect(first.events.map(({ id }) => id)).toEqual(['with', undefined, undefined]);
  expect(first.lastEventId).toBe('with');
  sse.sendToUser('ann', 'last', { id: 'last', text: true });
  const again = await openStream(`${url}/ann`, { lastEventId: first.lastEventId });
  await again.received(1);
  expect(data(again)).toEqual(['last']);
  expect(sse.stats().recentItems).toBe(2);
});

it('records a broadcast once, however many users there are', async () => {
  const { sse } = await serveHub();
  for (let user = 0; user < 100; user += 1) sse.sendToUser(`u${user}`, 1);
  const before = sse.stats();
  sse.sendToAll('x'.repeat(1000));
  const after = sse.stats();
  expect(after.recentItems - before.recentItems).toBe(1);
  expect(after.recentBytes - before.recentBytes).toBeLessThan(1200);
  expect(after.recentBuffers).toBe(before.recentBuffers);
});

it('loses and doubles nothing while sends, registrations and departures interleave', async () => {
  const { sse, url } = await serveHub({ hub: { recentBufferSize: 5000 } });
  sse.sendToUser('ann', 0, { id: 'first' });
  let sent = 0;
  const sendSome = () => {
    for (let each = 0; each < 3; each += 1) {
      sent += 1;
      if (sent % 3 === 0) sse.sendToAll(sent);
      else if (sent % 3 === 1) sse.sendToUser('ann', sent);
      else sse.sendToRoom('r', sent);
    }
  };
  let sending = true;
  const keepSending = () => {
    sendSome();
    if (sending) setImmediate(keepSending);
  };
  keepSending();
  const got: number[] = [];
  let lastEventId = 'first';
  for (let visit = 0; visit < 30; visit += 1) {
    const client = await openStream(`${url}/ann?rooms=r`, { lastEventId });
    await client.received(1 + (visit % 5) * 7);
    client.close();
    await client.over;
    got.push(...client.events.map((event) => Number(event.data)));
    ({ lastEventId } = client);
  }
  sending = false;
  expect(got).toEqual(Array.from({ length: got.length }, (_, index) => index + 1));
  expect(sse.stats().gaps).toMatchObject({ unknown: 0, evicted: 0 });
});
