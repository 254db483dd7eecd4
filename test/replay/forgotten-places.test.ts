import { expect, it } from 'vitest';
import { openStream } from '../helpers/client.js';
import { MemoryBus } from '../helpers/memory-bus.js';
import { serveHub } from '../helpers/server.js';

/** More than the instance remembers the places of. */
const EVENTS = 100_100;

it('finds an old id among what its user’s buffer keeps, when so much came from the channel that its place is forgotten', async () => {
  const bus = new MemoryBus();
  const { sse, url } = await serveHub({ hub: { redis: bus.adapter() } });
  await sse.ready();
  const ids: (string | undefined)[] = [];
  for (let n = 0; n < 3; n += 1) ids.push((await sse.publishToUser('ann', { n })).id);
  const { id: bens } = await sse.publishToUser('ben', { n: 3 });
  for (let n = 0; n < EVENTS; n += 1) await sse.publishToUser('cal', { n });

  const missed = await openStream(`${url}/ann`, { lastEventId: ids[0] ?? '' });
  await missed.received(2);
  expect(missed.events.map(({ id }) => id)).toEqual(ids.slice(1));

  const foreign = await openStream(`${url}/ann`, { lastEventId: bens ?? '' });
  await foreign.received(1);
  expect(foreign.events[0]).toMatchObject({ event: 'server:gap' });
  expect(JSON.parse(foreign.events[0]?.data ?? '')).toEqual({ lastEventId: bens, reason: 'unknown' });
}, 60_000);
