import { expect, it } from 'vitest';
import { openStream } from '../helpers/client.js';
import { collect, next } from '../helpers/emitted.js';
import { logHub, logHubs, told, untilPlaced, untilTold } from '../helpers/log.js';
import { startRedis } from '../helpers/redis.js';
import { World } from './model-world.js';

it('closes, moves into rooms and out of them on every instance, in order with events, and not again later', async () => {
  const redis = await startRedis();
  const [a, b] = await logHubs(2, redis);
  if (a === undefined || b === undefined) return expect.fail();
  const [ann, bob] = [await openStream(`${b.url}/ann`), await openStream(`${b.url}/bob`)];
  await Promise.all([untilPlaced(ann), untilPlaced(bob)]);
  await Promise.all([
    a.sse.publishToRoom('r', 0),
    a.sse.publishJoin('ann', 'r'),
    a.sse.publishToRoom('r', 1),
    a.sse.publishLeave('ann', 'r'),
    a.sse.publishToRoom('r', 2),
    a.sse.publishJoin('bob', 'r'),
    a.sse.publishToAll(3),
  ]);
  await untilTold(ann, 2);
  expect(told(ann).map(({ data }) => data)).toEqual(['1', '3']);
  await a.sse.publishClose('ann', { reason: 'logged out' });
  await ann.over;
  expect(told(ann).at(-1)).toMatchObject({ event: 'server:close' });
  // What was to be done then is not done again by one that reads it as history.
  const c = await logHub(redis.url);
  const later = await openStream(`${c.url}/ann`, { lastEventId: told(ann)[0]?.id ?? '' });
  await untilTold(later, 1);
  await openStream(`${c.url}/bob`);
  expect([(await c.handle(0)).rooms, (await c.handle(1)).rooms]).toEqual([[], []]);
  expect(c.sse.stats()).toMatchObject({ connections: 2, rooms: 0 });
  expect(told(later).map(({ data }) => data)).toEqual(['3']);
});

it('tells listeners what came by way of the log, and to how many it went', async () => {
  const redis = await startRedis();
  const [a, b] = await logHubs(2, redis);
  if (a === undefined || b === undefined) return expect.fail();
  const client = await openStream(`${b.url}/ann`);
  await untilPlaced(client);
  const sent = collect(b.sse, 'message-sent');
  const heard = next(b.sse, 'publish');
  const { id } = await a.sse.publishToUser('ann', { n: 1 }, { event: 'hello' });
  expect(await heard).toMatchObject({ v: 1, type: 'user', target: 'ann', event: 'hello', id, data: { n: 1 } });
  await untilTold(client, 1);
  expect(sent).toEqual([{ scope: 'user', userId: 'ann', count: 1 }]);
});

it('gives who is moved into a room while an instance still reads its history nothing of before', async () => {
  const world = new World(100, 1000, [{ kind: 'all' }, { kind: 'all' }]);
  const fresh = world.connect('ann', [], '', false);
  const resumed = world.connect('bob', [], '2-2', false);
  const room = { kind: 'room', name: 'r' } as const;
  world.append(room);
  world.append(room);
  // The mark, the history, and what the room said first.
  world.tail(4);
  for (const session of [fresh, resumed]) world.join(session, room.name, false);
  await world.settle();
  const second = world.all.at(-1)?.id;
  for (const { sink } of [fresh, resumed]) {
    const ofRoom = sink.items.filter((item) => item.kind === 'event' && item.of.ms > 4);
    expect(ofRoom).toEqual([{ kind: 'event', of: second, hasId: true }]);
  }
});
