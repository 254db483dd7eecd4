import { afterEach, expect, it, vi } from 'vitest';
import { type Flushable, Flusher } from '../../src/delivery/flusher.js';
import { openStream } from '../helpers/client.js';
import { serveHub } from '../helpers/server.js';
import { turn } from '../helpers/stall.js';

afterEach(() => vi.restoreAllMocks());

it.each([
  [['ann', 'bob'], 'more'],
  [['bob', 'ann'], 'less'],
])('gives each client its own, when %j have the same in a tick, and the second has %s', async (users) => {
  const { sse, url, handle } = await serveHub();
  const clients = [];
  for (const [index, user] of users.entries()) {
    clients.push({ user, client: await openStream(`${url}/${user}`) });
    await handle(index);
  }
  sse.sendToAll(1);
  sse.sendToAll(2);
  sse.sendToUser('bob', 3);
  await turn();
  sse.sendToAll('last');
  for (const { user, client } of clients) {
    const expected = user === 'bob' ? ['1', '2', '3', '"last"'] : ['1', '2', '"last"'];
    expect((await client.received(expected.length)).map(({ data }) => data)).toEqual(expected);
  }
});

/** Waits to write, which takes its time; and says when it did. */
class Slow implements Flushable {
  dirty = false;
  readonly lagging: boolean;
  readonly #write: () => void;

  constructor(lagging: boolean, write: () => void) {
    this.lagging = lagging;
    this.#write = write;
  }
  flush(): void {
    this.#write();
  }
}

it.each([
  ['write a little each', 0.5, 20, false],
  ['read much of what they missed', 10, 2, true],
])('lets the event loop turn between clients who %s', async (_what, takesMs, atMost, lagging) => {
  let now = performance.now();
  vi.spyOn(performance, 'now').mockImplementation(() => now);
  const flusher = new Flusher();
  let written = 0;
  const write = () => {
    written += 1;
    now += takesMs;
  };
  for (let count = 0; count < 100; count += 1) flusher.mark(new Slow(lagging, write));
  for (let before = 0; written < 100; before = written) {
    await turn();
    expect(written - before).toBeGreaterThan(0);
    expect(written - before).toBeLessThanOrEqual(atMost);
  }
});
