import fc from 'fast-check';
import { expect, it } from 'vitest';
import { Clock } from '../../src/delivery/clock.js';
import { Replay, type ReplayLimits } from '../../src/delivery/replay.js';
import { EVERYONE, roomScope, type Scope, userScope } from '../../src/delivery/scope.js';
import { encodeEvent } from '../../src/wire/frame.js';
import { atEnd } from '../helpers/cleanup.js';
import { openStream, type StreamClient } from '../helpers/client.js';
import { serveHub } from '../helpers/server.js';

/** The whole history, never forgotten: what the library is compared with. */
class Model {
  readonly history: { id: string; scope: Scope }[] = [];
  /** Ids of events and cursors to the number of events sent up to there. */
  readonly places = new Map<string, number>();

  send(id: string, scope: Scope): void {
    this.history.push({ id, scope });
    this.places.set(id, this.history.length);
  }

  missed(position: number, scopes: readonly Scope[]): string[] {
    const sees = ({ kind, name }: Scope) => scopes.some((each) => each.kind === kind && each.name === name);
    return this.history
      .slice(position)
      .filter(({ scope }) => sees(scope))
      .map(({ id }) => id);
  }
}

const USERS = ['a', 'b', 'c', 'd'];
const ROOMS = ['a', 'r', 's'];
const scope: fc.Arbitrary<Scope> = fc.oneof(
  { weight: 4, arbitrary: fc.constantFrom(...USERS).map(userScope) },
  { weight: 3, arbitrary: fc.constantFrom(...ROOMS).map(roomScope) },
  { weight: 2, arbitrary: fc.constant(EVERYONE) },
);
const rooms = fc.subarray(ROOMS);
const limits = fc.record({
  recentBufferSize: fc.integer({ min: 0, max: 8 }),
  recentMaxUsers: fc.integer({ min: 0, max: 6 }),
  recentMaxBytes: fc.constantFrom(0, 60, 200, 1000, 1_000_000),
});
const send = fc.record({ do: fc.constant('send' as const), scope });
const clear = fc.record({
  do: fc.constant('clear' as const),
  scope: fc.option(fc.constantFrom(...USERS).map(userScope)),
});

it('gives exactly what was missed or says that something is lost, in any interleaving of sends and evictions', () => {
  const look = fc.record({
    do: fc.constant('look' as const),
    user: fc.constantFrom(...USERS),
    rooms,
    back: fc.integer({ min: 0, max: 30 }),
  });
  const steps = fc.array(
    fc.oneof({ weight: 8, arbitrary: send }, { weight: 6, arbitrary: look }, { weight: 1, arbitrary: clear }),
    { maxLength: 80 },
  );
  let looks = 0;
  let gaps = 0;
  fc.assert(
    fc.property(limits, steps, fc.boolean(), ({ recentBufferSize, recentMaxUsers, recentMaxBytes }, all, asText) => {
      const clock = new Clock();
      const bounds: ReplayLimits = {
        maxItems: () => recentBufferSize,
        maxScopes: recentMaxUsers,
        maxBytes: recentMaxBytes,
        ttlMs: 0,
      };
      const model = new Model();
      const placeOf = (id: string) => model.places.get(id);
      const places = { placeOf, forgets: false, mayHaveForgotten: () => false };
      const form = asText ? { unique: true, json: true } : {};
      const encode = (source: string, order: number) =>
        encodeEvent({ id: source, text: 'x', source, ...form }, order, asText);
      const replay = new Replay(bounds, clock, encode, asText ? places : undefined);
      for (const step of all) {
        if (step.do === 'send') {
          const order = model.history.length + 1;
          // Names of ids fall while their order rises.
          const id = `${1000 - order}`;
          model.send(id, step.scope);
          replay.record(step.scope, encode(id, order));
          expect(replay.size.bytes).toBeLessThanOrEqual(recentMaxBytes);
          expect(replay.size.buffers).toBeLessThanOrEqual(recentMaxUsers);
        } else if (step.do === 'clear') {
          replay.clear(step.scope ?? undefined);
        } else {
          const position = Math.max(0, model.history.length - step.back);
          const id = model.history[position - 1]?.id ?? 'never sent';
          const scopes = [EVERYONE, userScope(step.user), ...step.rooms.map(roomScope)];
          const known = replay.positionOf(id, scopes);
          looks += 1;
          if (known === undefined) {
            gaps += 1;
            continue;
          }
          expect(known).toBe(position);
          const { frames, lostUpTo } = replay.since(known, scopes);
          const evicted = lostUpTo > known;
          const missed = model.missed(position, scopes);
          const resent = frames.map((frame) => frame.id);
          // Never a gap that is missed, never one that is none; and what is left is in order and the client's own.
          expect(evicted).toBe(resent.length !== missed.length);
          expect(resent).toEqual(missed.filter((each) => resent.includes(each)));
          if (evicted) gaps += 1;
        }
      }
    }),
    { numRuns: 1500, seed: 71 },
  );
  expect(gaps).toBeGreaterThan(looks / 20);
  expect(gaps).toBeLessThan(looks);
});

it('gives real clients exactly what they missed, or a gap', async () => {
  const visit = fc.record({
    do: fc.constant('visit' as const),
    user: fc.constantFrom(...USERS),
    rooms,
    from: fc.oneof(
      { weight: 5, arbitrary: fc.constant('last' as const) },
      { weight: 1, arbitrary: fc.constant('nowhere' as const) },
      { weight: 2, arbitrary: fc.nat({ max: 20 }) },
    ),
    during: fc.array(scope, { maxLength: 4 }),
  });
  const steps = fc.array(
    fc.oneof({ weight: 6, arbitrary: send }, { weight: 6, arbitrary: visit }, { weight: 1, arbitrary: clear }),
    { minLength: 10, maxLength: 40 },
  );
  await fc.assert(
    fc.asyncProperty(limits, steps, async (hub, all) => {
      const { sse, url, handle } = await serveHub({ hub });
      const model = new Model();
      const lastIds = new Map<string, string>();
      let visits = 0;
      const sendTo = ({ kind, name }: Scope) => {
        const id = `${1000 - model.history.length}`;
        model.send(id, kind === 'all' ? EVERYONE : { kind, name: name ?? '' });
        if (kind === 'all') sse.sendToAll(id, { id, text: true });
        else if (kind === 'user') sse.sendToUser(name ?? '', id, { id, text: true });
        else sse.sendToRoom(name ?? '', id, { id, text: true });
      };
      const ids = (client: StreamClient) =>
        client.events.filter(({ event }) => event === undefined).map((event) => event.id ?? '');
      for (const step of all) {
        if (step.do === 'send') sendTo(step.scope);
        else if (step.do === 'clear') {
          if (step.scope === null) sse.clearRecent();
          else sse.clearRecent(step.scope.name ?? '');
        } else {
          const { user, rooms, from, during } = step;
          const scopes = [EVERYONE, userScope(user), ...rooms.map(roomScope)];
          const past = typeof from === 'number' ? model.history.at(-1 - from)?.id : lastIds.get(user);
          const lastEventId = from === 'nowhere' ? 'nowhere' : past;
          const options = lastEventId === undefined ? {} : { lastEventId };
          const before = model.history.length;
          const client = await openStream(`${url}/${user}${rooms.length === 0 ? '' : `?rooms=${rooms}`}`, options);
          const connection = await handle(visits);
          visits += 1;
          for (const target of during) sendTo(target);
          connection.send('end', { event: 'end', text: true });
          await client.event('end');
          const position = model.places.get(lastEventId ?? '');
          const gap = client.events.find(({ event }) => event === 'server:gap');
          const expected = model.missed(lastEventId === undefined ? before : (position ?? 0), scopes);
          const got = ids(client);
          if (gap === undefined) {
            expect(got).toEqual(expected);
            expect(lastEventId === undefined || position !== undefined).toBe(true);
          } else {
            expect(client.events[0]).toBe(gap);
            expect(gap.id).toBeUndefined();
            const { reason } = JSON.parse(gap.data);
            // Whose position is not known gets all that is there.
            const possible = reason === 'unknown' ? model.missed(0, scopes) : expected;
            expect(got).toEqual(possible.filter((id) => got.includes(id)));
            if (reason === 'evicted') expect(got).not.toEqual(expected);
            expect(got.slice(got.length - model.missed(before, scopes).length)).toEqual(model.missed(before, scopes));
          }
          const cursor = client.events.find(({ event }) => event === 'server:cursor');
          if (cursor?.id !== undefined) model.places.set(cursor.id, before);
          if (client.lastEventId !== '') {
            // Coming straight back signals nothing, unless the stay itself was too much for the buffers.
            if (gap !== undefined && during.length === 0 && hub.recentBufferSize > 0 && hub.recentMaxBytes >= 1000) {
              const again = await openStream(`${url}/${user}`, { lastEventId: client.lastEventId });
              (await handle(visits)).send('end', { event: 'end', text: true });
              visits += 1;
              await again.event('end');
              expect(again.events.map(({ event }) => event)).toEqual(['end']);
              again.close();
            }
            lastIds.set(user, client.lastEventId);
          }
          client.close();
          await client.over;
        }
      }
      sse.close();
    }),
    { numRuns: 40, seed: 72, endOnFailure: true },
  );
}, 60_000);

/** Share of quiet clients that are told of a gap although they missed nothing, and of busy ones that are not told. */
it('signals no false gap to quiet users while others churn the buffers', () => {
  const clock = new Clock();
  atEnd(() => clock.stop());
  const bounds = { maxItems: () => 20, maxScopes: 10_000, maxBytes: 64 * 1024 * 1024, ttlMs: 0 };
  const encode = (id: string, place: number) => encodeEvent({ id, text: 'x' }, place);
  const replay = new Replay(bounds, clock, encode);
  let order = 0;
  const record = (to: Scope) => {
    order += 1;
    replay.record(to, encode(`id-${order}`, order));
    return `id-${order}`;
  };
  const quiet = Array.from({ length: 10_000 }, (_, index) => `quiet${index}`);
  const positions = new Map<string, string>();
  // A third has an event of its own, a third a room's, a third a broadcast as the last thing it saw.
  for (const [index, user] of quiet.entries()) {
    if (index % 3 === 0) positions.set(user, record(userScope(user)));
    else if (index % 3 === 1) positions.set(user, record(roomScope(`room of ${user}`)));
  }
  const broadcast = record(EVERYONE);
  const missers = Array.from({ length: 500 }, (_, index) => `misser${index}`);
  for (let round = 0; round < 6; round += 1) {
    for (let other = 0; other < 10_000; other += 1) record(userScope(`other${round}-${other}`));
    if (round === 2) for (const user of missers) record(userScope(user));
  }
  let falseGaps = 0;
  for (const user of quiet) {
    const scopes = [EVERYONE, userScope(user), roomScope(`room of ${user}`)];
    const position = positions.get(user) ?? broadcast;
    const known = replay.positionOf(position, scopes);
    // A broadcast came after the position of two thirds; it must be resent.
    const missed = known === undefined ? undefined : replay.since(known, scopes);
    if (known === undefined || missed === undefined || missed.lostUpTo > known) falseGaps += 1;
    else expect(missed.frames).toHaveLength(position === broadcast ? 0 : 1);
  }
  expect(falseGaps).toBeLessThan(100);
  let missedGaps = 0;
  for (const user of missers) {
    const scopes = [EVERYONE, userScope(user)];
    const known = replay.positionOf(broadcast, scopes);
    if (known !== undefined && replay.since(known, scopes).lostUpTo <= known) missedGaps += 1;
  }
  expect(missedGaps).toBe(0);
});

it('signals no false gap to quiet users over sockets while others churn the buffers', async () => {
  const { sse, url, handle } = await serveHub({ hub: { recentMaxUsers: 50 } });
  const users = Array.from({ length: 60 }, (_, index) => `quiet${index}`);
  const positions: string[] = [];
  for (const user of users) {
    const client = await openStream(`${url}/${user}`);
    await handle(positions.length);
    sse.sendToUser(user, 'hello');
    await client.received(1);
    positions.push(client.lastEventId);
    client.close();
    await client.over;
  }
  for (let other = 0; other < 400; other += 1) sse.sendToUser(`other${other}`, 'x');
  for (const [index, user] of users.entries()) {
    const client = await openStream(`${url}/${user}`, { lastEventId: positions[index] ?? '' });
    (await handle(users.length + index)).send('end', { event: 'end' });
    await client.event('end');
    expect(client.events).toHaveLength(1);
    client.close();
  }
  expect(sse.stats().gaps).toEqual({ unknown: 0, evicted: 0, dropped: 0, reset: 0 });
  expect(sse.stats().recentBuffers).toBe(50);
});
