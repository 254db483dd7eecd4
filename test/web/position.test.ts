import { expect, it } from 'vitest';
import type { RespondOptions, SSEKify } from '../../src/index.js';
import { createHub, read, requestFor } from './responses.js';

const asHeader = (id: string) => ({ headers: { 'Last-Event-ID': Buffer.from(id).toString('latin1') } });

/** Where the hub takes a client to be that asks like this. */
function positionOf(sse: SSEKify, request: Request, options: RespondOptions = {}): string | undefined {
  let position: string | undefined;
  sse.respond(request, 'ann', {
    ...options,
    connected(handle) {
      position = handle.lastEventId;
    },
  });
  return position;
}

it('reads the header, else the query; the option wins over both', () => {
  const sse = createHub();
  const both = requestFor('/sse?lastEventId=of-the-query', asHeader('of-the-header'));
  expect(positionOf(sse, both)).toBe('of-the-header');
  expect(positionOf(sse, both, { lastEventId: 'of-the-option' })).toBe('of-the-option');
  expect(positionOf(sse, requestFor('/sse?a=1&last-event-id=a%2Bb+c%20d#at'))).toBe('a+b+c d');
  expect(positionOf(sse, requestFor('/sse?Last-Event-ID=%E6%97%A5'))).toBe('日');
  expect(positionOf(sse, requestFor('/sse?lastEventId=%E0%A4%A'))).toBe('%E0%A4%A');
  expect(positionOf(sse, requestFor('/sse?lastEventId=q', asHeader('')))).toBe('q');
  expect(positionOf(sse, requestFor())).toBeUndefined();
});

it('resumes after an id that is not ASCII, whose header arrives as the bytes of UTF-8', async () => {
  const sse = createHub();
  for (const id of ['é', '日本-🎉', 'end']) sse.sendToUser('ann', id, { id });
  for (const id of ['é', '日本-🎉']) {
    const client = read(sse.respond(requestFor('/sse', asHeader(id)), 'ann'));
    await client.until(({ lastEventId }) => lastEventId === 'end');
    expect(client.events.map((event) => event.id)).toEqual(id === 'é' ? ['日本-🎉', 'end'] : ['end']);
  }
  expect(sse.stats().gaps).toEqual({ unknown: 0, evicted: 0, dropped: 0, reset: 0 });
});

it('resends what was missed once, of the user, their rooms and everyone, before what is sent now', async () => {
  const sse = createHub();
  sse.sendToUser('ann', 'first', { id: 'a' });
  sse.sendToUser('ann', 'own', { id: 'b' });
  sse.sendToUser('bob', 'not hers', { id: 'c' });
  sse.sendToRoom('news', 'of the room', { id: 'd' });
  sse.sendToRoom('other', 'not hers either', { id: 'e' });
  sse.sendToAll('for all', { id: 'f' });
  const response = sse.respond(requestFor('/sse', asHeader('a')), 'ann', { rooms: ['news', 'news'] });
  sse.sendToUser('ann', 'now', { id: 'g' });
  const events = await read(response).received(4);
  expect(events.map(({ id }) => id)).toEqual(['b', 'd', 'f', 'g']);
  expect(sse.stats()).toMatchObject({ replayed: 3, rooms: 1 });
});

it('tells of a gap when the position is not known, and the next position is', async () => {
  const sse = createHub();
  sse.sendToUser('ann', 'kept', { id: 'kept' });
  const client = read(sse.respond(requestFor('/sse', asHeader('of before')), 'ann'));
  const [gap, kept] = await client.received(2);
  expect(gap).toMatchObject({ event: 'server:gap', data: '{"lastEventId":"of before","reason":"unknown"}' });
  expect(kept).toMatchObject({ id: 'kept' });
  const again = read(sse.respond(requestFor('/sse', asHeader(client.lastEventId)), 'ann'));
  sse.sendToUser('ann', 'live');
  expect(await again.received(1)).toMatchObject([{ data: '"live"' }]);
});
