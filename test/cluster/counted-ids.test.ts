import { describe, expect, it } from 'vitest';
import { CountedIds, readCountedId } from '../../src/counted-ids.js';

const ORIGINS = ['aaaaaaaaaa', 'bbbbbbbbbb', 'cccccccccc'];

/** Numbers that look random and are the same in every run. */
function dice(seed: number): (sides: number) => number {
  let state = seed;
  return (sides) => {
    state = (Math.imul(state, 1_103_515_245) + 12_345) >>> 0;
    return (state >>> 8) % sides;
  };
}

describe('CountedIds', () => {
  it('notes exactly what a table of texts would, of ids that are new', () => {
    const roll = dice(7);
    const ids = new CountedIds<number>();
    let [young, old] = [new Map<string, number>(), new Map<string, number>()];
    const highest = new Map<string, number>();
    const forgotten = new Map<string, number>();
    for (let step = 0; step < 20_000; step += 1) {
      const origin = ORIGINS[roll(3)] ?? '';
      const counter = Math.max(0, (highest.get(origin) ?? -1) + roll(8) - 4);
      const id = `${1_700_000_000_000 + roll(3)}-${origin}-${counter}`;
      const isNew = counter > (highest.get(origin) ?? -1);
      expect(ids.mayHaveForgotten(id)).toBe(counter <= (forgotten.get(origin) ?? -1));
      expect(ids.add(id, step)).toBe(isNew);
      if (isNew) {
        highest.set(origin, counter);
        young.set(id, step);
      }
      for (const known of [id, `${1_700_000_000_000 + roll(3)}-${origin}-${Math.max(0, counter - roll(50))}`]) {
        expect(ids.get(known)).toBe(young.get(known) ?? old.get(known));
      }
      expect(ids.size).toBe(young.size);
      if (roll(500) === 0) {
        ids.age();
        for (const each of old.keys()) forgotten.set(each.slice(14, 24), Number(each.slice(25)));
        [young, old] = [new Map(), young];
      }
    }
  });

  it('takes no other text for such an id', () => {
    const ids = new CountedIds<true>();
    for (const id of [
      '',
      '-',
      '7',
      '1-aaaaaaaaaa',
      '1-aaaaaaaaaa-',
      '-aaaaaaaaaa-1',
      '1-aaaaaaaaaa-01',
      '01-aaaaaaaaaa-1',
      '1-aaaaaaaaaa-+1',
      '1-aaaaaaaaaa-1e3',
      '1-aaaaaaaaaa-1.5',
      '1-aaaaaaaaaa- 1',
      '1-aaaaaaaaaa-٣',
      '1-aaaaaaaaaa--1',
      '1-aaaaaaaaa-1',
      '1-aaaaaaaaaé-1',
      '1-aaaaa aaaa-1',
      '1-aaaaaaaaaA-1',
      '1--aaaaaaaaa-1',
      '1.5-aaaaaaaaaa-1',
      '1aaaaaaaaaaa-1',
      '1-aaaaaaaaaa-1234567890123456',
      '1-aaaaaaaaaa-5+bbbbbbbbbb.1',
    ]) {
      expect(ids.add(id, true), id).toBe(false);
      expect(ids.get(id), id).toBeUndefined();
      expect(ids.mayHaveForgotten(id), id).toBe(false);
      const bytes = Buffer.from(`${id}-5"`);
      expect(readCountedId(bytes, 0, bytes.length - 3), id).toBeUndefined();
    }
    expect(ids.size).toBe(0);
  });

  it('tells ids apart by all of their parts', () => {
    const ids = new CountedIds<string>();
    expect(ids.add('5-aaaaaaaaaa-0', 'first')).toBe(true);
    expect(ids.add('5-bbbbbbbbbb-0', 'second')).toBe(true);
    expect(ids.add('6-aaaaaaaaaa-0', 'third')).toBe(false);
    expect(ids.get('5-aaaaaaaaaa-0')).toBe('first');
    expect(ids.get('5-bbbbbbbbbb-0')).toBe('second');
    expect(ids.get('6-aaaaaaaaaa-0')).toBeUndefined();
    expect(ids.get('5-cccccccccc-0')).toBeUndefined();
  });

  it('knows what it may have forgotten of an origin that has long been silent', () => {
    const ids = new CountedIds<true>();
    ids.add('1-aaaaaaaaaa-7', true);
    for (const forgotten of [false, true, true, true]) {
      ids.age();
      expect(ids.mayHaveForgotten('1-aaaaaaaaaa-7')).toBe(forgotten);
      expect(ids.mayHaveForgotten('1-aaaaaaaaaa-8')).toBe(false);
      expect(ids.get('1-aaaaaaaaaa-7')).toBe(forgotten ? undefined : true);
    }
  });

  it('takes up no more origins than there can be instances', () => {
    const ids = new CountedIds<true>();
    const idOf = (n: number) => `1-${String(n).padStart(10, '0')}-1`;
    for (let n = 0; n < 10_000; n += 1) expect(ids.add(idOf(n), true)).toBe(true);
    expect(ids.add(idOf(10_000), true)).toBe(false);
    expect(ids.get(idOf(10_000))).toBeUndefined();
    expect(ids.add('1-0000009999-2', true)).toBe(true);
  });
});
