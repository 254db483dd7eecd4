import { expect, it } from 'vitest';
import { openStream } from '../helpers/client.js';
import { serveHub } from '../helpers/server.js';
import { bodyOf, read, requestFor } from './responses.js';

it('sends to responses of Node and of the web alike, by user, room and everyone, and counts each kind', async () => {
  const { sse, url, handle } = await serveHub();
  const node = await openStream(`${url}/ann?rooms=a`);
  await handle(0);
  const web = [
    read(sse.respond(requestFor(), 'ann', { rooms: ['a'] })),
    read(sse.respond(requestFor(), 'bob', { rooms: ['a'] })),
  ];
  expect(sse.sendToUser('ann', 1)).toBe(2);
  expect(sse.sendToRoom('a', 2)).toBe(3);
  expect(sse.sendToAll(3)).toBe(3);
  const all = await Promise.all([node.received(3), web[0]?.received(3), web[1]?.received(2)]);
  expect(all.map((events) => events?.map(({ data }) => data))).toEqual([
    ['1', '2', '3'],
    ['1', '2', '3'],
    ['2', '3'],
  ]);
  const { socket, response, web: ofTheWeb } = sse.stats().sinks;
  expect([socket + response, ofTheWeb]).toEqual([1, 2]);
});

it('gives every reader memory of its own: whoever takes it away, or writes into it, takes it from nobody else', async () => {
  const { sse, url, handle } = await serveHub();
  const nodes = [await openStream(`${url}/ann`), await openStream(`${url}/bob`)];
  await handle(1);
  const readers = ['cy', 'dan', 'eve'].map((user) => bodyOf(sse.respond(requestFor(), user)).getReader());
  for (const reader of readers) await reader.read();
  const texts = ['', '', ''];
  for (let round = 0; round < 20; round += 1) {
    // Several in a tick, and alone: joined and not.
    sse.sendToAll({ round, text: 'é'.repeat(round * 100) });
    if (round % 2 === 0) sse.sendToAll('second');
    for (const [index, reader] of readers.entries()) {
      const { value } = await reader.read();
      if (value === undefined) throw new Error('the stream ended');
      texts[index] += Buffer.from(value).toString();
      value.fill(0);
      structuredClone(value.buffer, { transfer: [value.buffer] });
      expect(value.byteLength).toBe(0);
    }
  }
  await Promise.all(nodes.map((node) => node.received(30)));
  const sent = nodes[0]?.raw.replace(/^retry: \d+\n\n/, '');
  expect(sent?.match(/"round":\d+/g)).toHaveLength(20);
  for (const text of [...texts, nodes[1]?.raw.replace(/^retry: \d+\n\n/, '')]) expect(text).toBe(sent);
});
