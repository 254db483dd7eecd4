import { expect, it } from 'vitest';
import { openStream, type StreamClient } from '../helpers/client.js';
import { serveHub } from '../helpers/server.js';

const seen = (client: StreamClient) => client.events.map(({ event, data }) => event ?? data);

it('finds the place of an id given to two users in each one of their streams', async () => {
  const { sse, url } = await serveHub();
  sse.sendToUser('ann', 'same', { id: 'same' });
  sse.sendToUser('ann', 'a1', { text: true });
  sse.sendToUser('bob', 'same', { id: 'same' });
  sse.sendToUser('ann', 'a2', { text: true });
  sse.sendToUser('bob', 'b1', { text: true });
  const ann = await openStream(`${url}/ann`, { lastEventId: 'same' });
  await ann.received(2);
  expect(seen(ann)).toEqual(['a1', 'a2']);
  const bob = await openStream(`${url}/bob`, { lastEventId: 'same' });
  await bob.received(1);
  expect(seen(bob)).toEqual(['b1']);
});

it('does not take the place of an id in a stranger’s stream for one that its own has forgotten', async () => {
  const { sse, url } = await serveHub({ hub: { recentBufferSize: 5 } });
  for (let index = 1; index <= 12; index += 1) sse.sendToUser('ann', `a${index}`, { id: index, text: true });
  // Every user counts from 1 here, so that this 3 is later than all of the above.
  for (let index = 1; index <= 3; index += 1) sse.sendToUser('bob', `b${index}`, { id: index, text: true });
  const ann = await openStream(`${url}/ann`, { lastEventId: '3' });
  await ann.received(6);
  expect(seen(ann)).toEqual(['server:gap', 'a8', 'a9', 'a10', 'a11', 'a12']);
  const bob = await openStream(`${url}/bob`, { lastEventId: '1' });
  await bob.received(2);
  expect(seen(bob)).toEqual(['b2', 'b3']);
  const known = await openStream(`${url}/ann`, { lastEventId: '9' });
  await known.received(3);
  expect(seen(known)).toEqual(['a10', 'a11', 'a12']);
});

it('keeps a client’s place when the same id is forgotten elsewhere', async () => {
  const { sse, url, handle } = await serveHub({ hub: { recentBufferSize: 2 } });
  for (const user of ['bob', 'cid', 'ann']) sse.sendToUser(user, 'news', { id: 'news' });
  for (const user of ['bob', 'cid']) for (let index = 0; index < 5; index += 1) sse.sendToUser(user, index);
  const ann = await openStream(`${url}/ann`, { lastEventId: 'news' });
  (await handle(0)).send('end', { text: true });
  await ann.received(1);
  expect(seen(ann)).toEqual(['end']);
  const bob = await openStream(`${url}/bob`, { lastEventId: 'news' });
  await bob.received(3);
  expect(seen(bob)).toEqual(['server:gap', '3', '4']);
});

it('does not take a place of a stranger’s for one that its own has forgotten since', async () => {
  const { sse, url } = await serveHub({ hub: { recentBufferSize: 2 } });
  sse.sendToUser('ann', 'same', { id: 'same' });
  sse.sendToUser('ann', 'lost', { text: true });
  sse.sendToUser('bob', 'same', { id: 'same' });
  for (const text of ['a1', 'a2']) sse.sendToUser('ann', text, { text: true });
  const ann = await openStream(`${url}/ann`, { lastEventId: 'same' });
  await ann.received(3);
  expect(seen(ann)).toEqual(['server:gap', 'a1', 'a2']);
});

it('resumes after the first place of an id that several scopes have which the connection does not', async () => {
  const { sse, url, handle } = await serveHub();
  sse.sendToRoom('left since', 'x', { id: 'there' });
  sse.sendToUser('ann', 'missed', { text: true });
  sse.sendToRoom('never entered', 'x', { id: 'there' });
  const ann = await openStream(`${url}/ann`, { lastEventId: 'there' });
  (await handle(0)).send('end', { text: true });
  await ann.received(2);
  expect(seen(ann)).toEqual(['missed', 'end']);
});

it('knows a position from a scope that the connection does not have', async () => {
  const { sse, url } = await serveHub();
  sse.sendToRoom('left since', 'x', { id: 'there' });
  sse.sendToUser('ann', 'missed', { text: true });
  const ann = await openStream(`${url}/ann`, { lastEventId: 'there' });
  await ann.received(1);
  expect(seen(ann)).toEqual(['missed']);
});

it('records an event with an empty id, which no client can come back with', async () => {
  const { sse, url } = await serveHub();
  sse.sendToUser('ann', 'p', { id: 'p', text: true });
  sse.sendToUser('ann', 'reset', { id: '', text: true });
  sse.sendToUser('ann', 'q', { id: 'q', text: true });
  const ann = await openStream(`${url}/ann`, { lastEventId: 'p' });
  await ann.received(2);
  expect(ann.events.map(({ id }) => id)).toEqual(['', 'q']);
});

it('stays fast when one id is given to very many events', async () => {
  const { sse } = await serveHub({ hub: { recentMaxUsers: 20_000 } });
  const started = performance.now();
  for (let user = 0; user < 60_000; user += 1) sse.sendToUser(`u${user}`, 1, { id: 'same' });
  // Quadratic work would take minutes.
  expect(performance.now() - started).toBeLessThan(10_000);
});

it.each(['timestamp', 'snowflake'] as const)(
  'does not take an automatic id that is sent on for the place of its first event (%s)',
  async (frameIdPolicy) => {
    const { sse, url } = await serveHub({ hub: { recentBufferSize: 2, seq: { frameIdPolicy } } });
    const { id } = await sse.publishToUser('ann', 'first', { text: true });
    for (const each of ['lost', 'lost too', 'a1', 'a2']) sse.sendToUser('ann', each, { text: true });
    sse.sendToUser('bob', 'first', { id, text: true });
    const ann = await openStream(`${url}/ann`, { lastEventId: id ?? '' });
    await ann.received(3);
    expect(seen(ann)).toEqual(['server:gap', 'a1', 'a2']);
  },
);

it('finds the place of an automatic id that is sent on after its first event was the last to be lost', async () => {
  const { sse, url } = await serveHub({ hub: { recentBufferSize: 2 } });
  const { id } = await sse.publishToUser('ann', 'first', { text: true });
  sse.sendToUser('ann', 'a1', { text: true });
  sse.sendToUser('ann', 'first', { id, text: true });
  const ann = await openStream(`${url}/ann`, { lastEventId: id ?? '' });
  await ann.received(2);
  expect(seen(ann)).toEqual(['a1', 'first']);
});
