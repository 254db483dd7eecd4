import { expect, it } from 'vitest';
import { Ring } from '../../src/delivery/log/ring.js';
import { EVERYONE, roomScope, type Scope } from '../../src/delivery/scope.js';
import { encodeEvent } from '../../src/wire/frame.js';
import { formatStreamId, type StreamId } from '../../src/wire/stream-id.js';

class Filled {
  readonly ring: Ring;
  #order = 0;

  constructor(maxBytes: number) {
    this.ring = new Ring(1_000_000_000, maxBytes);
  }

  append(scope: Scope, text = ''): StreamId {
    this.#order += 1;
    const id = { ms: this.#order, seq: 0 };
    this.ring.append(id, scope, encodeEvent({ id: formatStreamId(id), text }, this.#order));
    return id;
  }

  breakHere(): number {
    this.#order += 1;
    this.ring.breakAt({ ms: this.#order, seq: 0 }, this.#order, 'reset');
    return this.#order;
  }
}

it('tells of a break only behind all that stands before it, among however many events', () => {
  const filled = new Filled(100_000_000);
  for (let event = 0; event < 20_000; event += 1) filled.append(roomScope('other'));
  filled.append(EVERYONE);
  const order = filled.breakHere();
  const frames = [];
  let place = 0;
  for (let pieces = 0; place < order; pieces += 1) {
    expect(pieces).toBeLessThan(10);
    const piece = filled.ring.after(place, [EVERYONE]);
    frames.push(...piece.frames);
    expect(piece.broken?.order).toBe(piece.upTo === order ? order : undefined);
    place = piece.upTo;
  }
  expect(frames.map((frame) => frame.order)).toEqual([order - 1]);
});

it('gives an event that is larger than a piece by itself', () => {
  const filled = new Filled(100_000_000);
  const large = 'x'.repeat(1024 * 1024);
  for (const text of [large, '', large]) filled.append(EVERYONE, text);
  const orders = [];
  for (let place = 0; place < 3; ) {
    const { frames, upTo } = filled.ring.after(place, [EVERYONE]);
    expect(upTo).toBeGreaterThan(place);
    orders.push(frames.map(({ order }) => order));
    place = upTo;
  }
  expect(orders).toEqual([[1], [2], [3]]);
});

it('knows the place of a position right before what it still holds, or behind it all', () => {
  const filled = new Filled(0);
  filled.append(EVERYONE);
  const id = filled.append(EVERYONE);
  const { ring } = filled;
  expect(ring.reaches(id)).toBe(true);
  expect(ring.placeOf(id)).toBe(ring.begin);
  expect(ring.after(ring.placeOf(id), [EVERYONE])).toMatchObject({ frames: [], broken: undefined });
});

const TICK_SEQ = 77;

it('tells foreign positions from those of all that stood in it, and takes them as they are where it does not know all', () => {
  const { ring } = new Filled(100_000_000);
  for (let ms = 1; ms <= 10_005; ms += 1) ring.pass({ id: { ms, seq: 5 } }, TICK_SEQ);
  const isForeign = (ms: number, seq: number) => ring.isForeign({ ms, seq }, TICK_SEQ);
  // The first five are forgotten.
  expect([isForeign(4, 6), isForeign(5, 4)]).toEqual([false, false]);
  expect([isForeign(5, 6), isForeign(10_004, 6)]).toEqual([true, true]);
  // Right before an entry ends what was lost before it.
  expect([isForeign(10_004, 5), isForeign(10_004, 4), isForeign(10_004, TICK_SEQ)]).toEqual([false, false, true]);
});

it('knows ticks of a quiet log that were taken away, however many there were', () => {
  const filled = new Filled(100_000_000);
  const since = filled.append(EVERYONE);
  for (let ms = 2; ms <= 20_000; ms += 1) filled.ring.pass({ id: { ms, seq: TICK_SEQ }, since }, TICK_SEQ);
  const isForeign = (ms: number, seq: number) => filled.ring.isForeign({ ms, seq }, TICK_SEQ);
  for (const ms of [2, 10_000, 20_000]) expect([isForeign(ms, TICK_SEQ), isForeign(ms, 0)]).toEqual([false, true]);
  expect(filled.ring.placeOf({ ms: 10_000, seq: TICK_SEQ })).toBe(1);
});

it('takes the position from which on it holds everything for one of its log', () => {
  const filled = new Filled(1000);
  const ids = ['a', 'b', 'c', 'd', 'e', 'f'].map((text) => filled.append(EVERYONE, text));
  const held = ids.filter((id) => filled.ring.reaches(id));
  expect(held.length).toBeGreaterThan(1);
  expect(held.length).toBeLessThan(ids.length);
  for (const id of held) expect(filled.ring.isForeign(id, TICK_SEQ)).toBe(false);
  for (const { ms } of held.slice(1)) expect(filled.ring.isForeign({ ms: ms - 1, seq: 3 }, TICK_SEQ)).toBe(true);
});
