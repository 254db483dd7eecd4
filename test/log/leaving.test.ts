import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createRedisStreamAdapter } from '../../src/index.js';
import { formatStreamId } from '../../src/wire/stream-id.js';
import { openStream } from '../helpers/client.js';
import { usedBytes } from '../helpers/memory.js';
import { startRedis } from '../helpers/redis.js';
import { serveHub } from '../helpers/server.js';
import { World } from './model-world.js';

const ROUNDS = 10;
const CLIENTS = 2000;

/** Nothing happens in this process for so long; then all that became due or came in the meantime happens in one turn. */
function hold(ms: number): void {
  const until = performance.now() + ms;
  while (performance.now() < until);
}

it('does not move the last id of a client that is leaving beyond what the client was sent', async () => {
  const redis = await startRedis();
  const hub = await serveHub({ hub: { redis: createRedisStreamAdapter(redis.url), keepAliveMs: 30 } });
  await hub.sse.ready();
  for (let round = 0; round < ROUNDS; round += 1) {
    const client = await openStream(`${hub.url}/ann`);
    await client.until(({ lastEventId }) => lastEventId !== '');
    const handle = await hub.handle(2 * round);
    const published = hub.sse.publishToUser('ann', `missed ${round}`);
    setTimeout(() => handle.close(), 40);
    await turn();
    // In this order: a heartbeat is due, the connection ends, the event comes, and what is due is written.
    hold(100);
    await published;
    await client.over;
    const back = await openStream(`${hub.url}/ann`, { lastEventId: client.lastEventId });
    await hub.handle(2 * round + 1);
    await hub.sse.publishToUser('ann', `last ${round}`);
    await back.until(({ events }) => events.some(({ data }) => data === `"last ${round}"`));
    const heard = [...client.events, ...back.events].filter(({ event }) => event === undefined);
    expect(heard.map(({ data }) => JSON.parse(data))).toEqual([`missed ${round}`, `last ${round}`]);
    back.close();
  }
});

it.each([
  ['fresh ones', ''],
  ['returning ones', '2-2'],
])('keeps nothing of clients that came and went while the log could not be read: %s', async (_, lastEventId) => {
  const world = new World(1000, 60_000, []);
  const comeAndGo = async () => {
    for (let n = 0; n < CLIENTS; n += 1) {
      const { connection } = world.connect('ann', ['r'], lastEventId, false);
      world.flush();
      connection.closed('client');
    }
    world.flush();
    world.sessions.length = 0;
    await turn();
    return usedBytes();
  };
  await comeAndGo();
  const before = await comeAndGo();
  expect((await comeAndGo()) - before).toBeLessThan(CLIENTS * 500);
});

it('lets no client go that comes back to where memory begins', async () => {
  const world = new World(3, 60_000, []);
  await world.settle();
  for (let n = 0; n < 6; n += 1) world.append({ kind: 'all' });
  await world.settle();
  for (const [index, { id }] of world.all.entries()) {
    const { connection, sink } = world.connect('ann', [], formatStreamId(id), false);
    await world.settle();
    expect(connection.open).toBe(true);
    expect(sink.items.filter(({ kind }) => kind === 'event')).toHaveLength(6 - index);
  }
});
