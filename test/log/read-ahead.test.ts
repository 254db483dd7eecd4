import { expect, it } from 'vitest';
import type { Scope } from '../../src/delivery/scope.js';
import { formatStreamId } from '../../src/wire/stream-id.js';
import { World } from './model-world.js';

const EVERYONE: Scope = { kind: 'all' };

it('takes no answer of before it read from Redis for the end of the log', async () => {
  // Of all events the ring holds one.
  const world = new World(1, 1000, []);
  world.tail(1);
  for (let n = 1; n <= 3; n += 1) world.append(EVERYONE);
  const [, , second] = world.all;
  if (second === undefined) return expect.fail();
  // It has more than the instance, which asks where the log ends: at the third event.
  const { sink } = world.connect('ann', [], formatStreamId(second.id), false);
  world.flush();
  world.ended();
  world.flush();
  for (let n = 4; n <= 10; n += 1) world.append(EVERYONE);
  // The ring comes to hold the fourth event, so that the third has to come from Redis, where the sixth is by now.
  world.tail(4);
  world.flush();
  await world.answer(true);
  while (world.flush());
  expect(sink.lastId).toBe(formatStreamId(world.all[6]?.id ?? second.id));
  await world.settle();
  const expected = world.all.slice(3).map(({ id }) => ({ kind: 'event', of: id, hasId: true }));
  expect(sink.items).toEqual(expected);
});

it('tells a client whose position is beyond the log of that as soon as it is known, though nothing comes', async () => {
  const world = new World(100, 1000, []);
  world.tail(1);
  const { sink } = world.connect('ann', [], '5000-0', false);
  world.flush();
  expect(sink.items).toEqual([]);
  world.ended();
  while (world.flush());
  expect(sink.items.map((item) => item.kind === 'gap' && item.reason)).toEqual(['unknown', false]);
});
