import { expect, it } from 'vitest';
import { type Burst, framesOf } from '../../src/delivery/burst.js';
import { Flusher } from '../../src/delivery/flusher.js';
import { encodeEvent, type Frame } from '../../src/wire/frame.js';

const MIB = 1024 * 1024;
const EMPTY_EVENT_BYTES = 'data: \n\n'.length;

const frameOf = (text: string, order = 1) => encodeEvent({ text }, order);

/** What a client has that got these frames in one tick. */
const got = (flusher: Flusher, frames: readonly Frame[]) =>
  frames.reduce<Frame | Burst | undefined>((before, frame) => flusher.add(before, frame), undefined);

function burstOf(flusher: Flusher, frames: readonly Frame[]): Burst {
  const burst = got(flusher, frames);
  if (burst === undefined || !('claim' in burst)) throw new Error('no burst');
  return burst;
}

it('is one for all clients that got the same frames, whatever others got in between', () => {
  const flusher = new Flusher();
  const [a, b, c] = [frameOf('a'), frameOf('b'), frameOf('c')];
  const clients: (Frame | Burst | undefined)[] = [undefined, undefined, undefined, undefined];
  // Even ones are in a room that is told of c as well.
  for (const frame of [a, b])
    for (const [index, before] of clients.entries()) clients[index] = flusher.add(before, frame);
  for (const index of [0, 2]) clients[index] = flusher.add(clients[index], c);
  expect(clients[2]).toBe(clients[0]);
  expect(clients[3]).toBe(clients[1]);
  expect(framesOf(clients[0])).toEqual([a, b, c]);
  expect(framesOf(clients[1])).toEqual([a, b]);
});

it('keeps apart what clients got in different order, or from different frames on', () => {
  const flusher = new Flusher();
  const [a, b] = [frameOf('a'), frameOf('b')];
  const same = frameOf('a');
  for (const frames of [[a, b], [b, a], [same, b], [a, a], [a, b, b], [b]]) {
    const given = framesOf(got(flusher, frames));
    expect(given.length === frames.length && given.every((frame, index) => frame === frames[index])).toBe(true);
  }
});

it('counts its frames and their bytes, of which one is written as text, and what is shared as bytes', () => {
  const burst = burstOf(new Flusher(), [frameOf('é'), frameOf('b')]);
  expect(burst).toMatchObject({ length: 2, byteLength: 2 * EMPTY_EVENT_BYTES + 3 });
  const [chunk, ...others] = burst.claim();
  expect(others).toEqual([]);
  expect(chunk).toMatchObject({ text: 'data: é\n\ndata: b\n\n', byteLength: burst.byteLength, shared: false });
  expect(burst.claim()).toEqual([chunk]);
  expect(chunk?.shared).toBe(true);
});

it('joins at most 1 MiB, and never cuts a frame', () => {
  const ofBytes = (bytes: number) => frameOf('x'.repeat(bytes - EMPTY_EVENT_BYTES));
  const sizesOf = (...sizes: number[]) =>
    burstOf(new Flusher(), sizes.map(ofBytes))
      .claim()
      .map(({ byteLength }) => byteLength);
  expect(sizesOf(MIB - 100, 100)).toEqual([MIB]);
  expect(sizesOf(MIB - 100, 101)).toEqual([MIB - 100, 101]);
  expect(sizesOf(2 * MIB, 100, 100)).toEqual([2 * MIB, 200]);
  expect(sizesOf(100, 2 * MIB, 100)).toEqual([100, 2 * MIB, 100]);
  expect(sizesOf(MIB / 2, MIB / 2, MIB / 2, MIB / 2, 100)).toEqual([MIB, MIB, 100]);
});
