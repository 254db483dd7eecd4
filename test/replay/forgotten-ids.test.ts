import { expect, it } from 'vitest';
import { Clock } from '../../src/delivery/clock.js';
import { Replay, type ReplayLimits } from '../../src/delivery/replay.js';
import { EVERYONE, roomScope, type Scope, userScope } from '../../src/delivery/scope.js';
import { EventIds } from '../../src/event-ids.js';
import { encodeEvent } from '../../src/wire/frame.js';

/** More than the instance remembers the places of. */
const EVENTS = 100_100;
const ANN = userScope('ann');
const BEN = userScope('ben');
const CAL = userScope('cal');

/** The history of an instance on a channel. */
function history(limits: Partial<ReplayLimits> = {}) {
  let order = 0;
  const ids = new EventIds({
    source: 'channel',
    instanceId: 'zzzzzzzzzz',
    frameIdPolicy: 'timestamp',
    newId: () => undefined,
    order: () => order,
  });
  const replay = new Replay(
    { maxItems: () => 20, maxScopes: 1000, maxBytes: 1_000_000, ttlMs: 0, ...limits },
    new Clock(),
    (id, place) => encodeEvent({ id, unique: true, text: 'x' }, place, true),
    ids.places,
  );
  const send = (scope: Scope, id = `5-aaaaaaaaaa-${order + 1}`) => {
    order += 1;
    replay.record(scope, ids.encode({ id, text: 'x', json: true, source: id }, order));
    return id;
  };
  const sendMany = () => {
    for (let n = 0; n < EVENTS; n += 1) send(CAL);
  };
  /** What is given to who comes back with the id. */
  const missed = (id: string, ...scopes: Scope[]) => {
    const position = replay.positionOf(id, [EVERYONE, ...scopes]);
    if (position === undefined) return 'unknown';
    const { frames, lostUpTo } = replay.since(position, [EVERYONE, ...scopes]);
    return lostUpTo > position ? 'evicted' : frames.map((frame) => frame.id);
  };
  return { send, sendMany, missed };
}

it('does not take an id that comes again for a new one when its first place is forgotten', () => {
  const { send, sendMany, missed } = history();
  const [first, next] = [send(ANN), send(ANN)];
  sendMany();
  send(BEN, first);
  const last = send(BEN);
  expect(missed(first, ANN)).toEqual([next]);
  expect(missed(first, BEN)).toEqual([last]);
  expect(missed(first, CAL)).toBe('unknown');
});

it.each([
  ['for others that were used more', { maxScopes: 1 }],
  ['for its bytes', { maxBytes: 40 }],
  ['since nothing is kept', { maxItems: () => 0 }],
] as const)('knows the place of a quiet user whose buffer went %s, however much was sent since', (_, limits) => {
  const { send, sendMany, missed } = history(limits);
  const earlier = send(ANN);
  const [last, lastOfRoom] = [send(ANN), send(roomScope('a'))];
  sendMany();
  expect(missed(last, ANN)).toEqual([]);
  expect(missed(lastOfRoom, roomScope('a'))).toEqual([]);
  expect(missed(earlier, ANN)).toBe('unknown');
  expect(missed(last, BEN)).toBe('unknown');
  send(ANN);
  expect(missed(last, ANN)).not.toEqual([]);
});

it('knows the place of a quiet user whose buffer of many events went', () => {
  const { send, sendMany, missed } = history({ maxScopes: 1 });
  const sent = Array.from({ length: 12 }, () => send(ANN));
  sendMany();
  expect(missed(sent.at(-1) ?? '', ANN)).toEqual([]);
  expect(missed(sent.at(-2) ?? '', ANN)).toBe('unknown');
});

it('forgets the id of the last event of a user who was quiet while very many others were not', () => {
  const limits = { maxItems: () => 0, maxScopes: 1000, maxBytes: 1_000_000, ttlMs: 0 };
  const restore = () => {
    throw new Error('nothing is kept');
  };
  const replay = new Replay(limits, new Clock(), restore);
  const send = (n: number) => replay.record(userScope(`${n}`), encodeEvent({ id: `id ${n}`, text: 'x' }, n + 1));
  for (let n = 0; n < EVENTS; n += 1) send(n);
  const positions = [0, EVENTS - 1].map((n) => replay.positionOf(`id ${n}`, [EVERYONE]));
  expect(positions).toEqual([undefined, EVENTS]);
});
