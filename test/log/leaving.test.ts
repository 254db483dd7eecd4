import { setImmediate as turn } from 'node:timers/promises';
import { expect, it } from 'vitest';
import { createRedisStreamAdapter } from '../../src/index.js';
import { openStream } from '../helpers/client.js';
import { startRedis } from '../helpers/redis.js';
import { serveHub } from '../helpers/server.js';

const ROUNDS = 10;

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
