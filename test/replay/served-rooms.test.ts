import { expect, it } from 'vitest';
import { ServedRooms } from '../../src/delivery/served-rooms.js';

it('forgets the oldest of more than 100 stays in a room', () => {
  const served = new ServedRooms(0);
  for (let stay = 1; stay <= 101; stay += 1) {
    served.joined('r', () => stay * 10);
    served.left('r', stay * 10 + 5);
  }
  const had = served.had('r');
  expect([11, 21, 1011].map(had)).toEqual([false, true, true]);
});

it('forgets the room that was joined longest ago, of more than 1,000', () => {
  const served = new ServedRooms(0);
  for (let room = 0; room < 1000; room += 1) served.joined(`${room}`, () => room);
  served.left('0', 2000);
  served.joined('0', () => 2000);
  const known = () => ['0', '1', '2'].map((room) => served.had(room)(1000));
  expect(known()).toEqual([true, true, true]);
  served.joined('one more', () => 2000);
  expect(known()).toEqual([true, false, true]);
});
