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
