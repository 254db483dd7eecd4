import { describe, expect, it } from 'vitest';
import type { Delivery, HeardGap } from '../helpers/chaos/client.js';
import { judge, type Rules, type Witness } from '../helpers/chaos/oracle.js';
import type { Publication, Scope } from '../helpers/chaos/publisher.js';

const ORDERED: Rules = { idsAreOrdered: true };
const TO_ALL: Scope = { kind: 'all' };

const published = (n: number, more: Partial<Publication> = {}): Publication => {
  return { p: 0, n, scope: TO_ALL, calledAt: n, acknowledgedAt: n + 1, id: `${n}-0`, attempts: 1, ...more };
};

const delivered = (n: number, id = `${n}-0`): Delivery => ({ p: 0, n, id, latencyMs: 1, at: n });

function witness(numbers: readonly (number | Delivery)[], options: Partial<Witness['options']> = {}): Witness {
  const deliveries = numbers.map((each) => (typeof each === 'number' ? delivered(each) : each));
  const who = { user: 'ann', rooms: ['red'], ...options };
  return { options: who, beganAt: '0-0', deliveries, gaps: [], cursors: [], problems: [] };
}

const none = { lost: 0, duplicated: 0, outOfOrder: 0, gaps: 0, findings: [] };

describe('the oracle', () => {
  it('finds nothing wrong with clients that heard all that is for them, once and in order', () => {
    const publications = [
      published(1),
      published(2, { scope: { kind: 'user', target: 'ann' } }),
      published(3, { scope: { kind: 'user', target: 'bob' } }),
      published(4, { scope: { kind: 'room', target: 'red' } }),
      published(5, { scope: { kind: 'room', target: 'blue' } }),
    ];
    const witnesses = [witness([1, 2, 4]), witness([1, 3], { user: 'bob', rooms: [] })];
    expect(judge(publications, witnesses, ORDERED)).toEqual({
      ...none,
      clients: 2,
      acknowledged: 5,
      deliveries: 5,
    });
  });

  it('finds what was lost, by every client that lost it', () => {
    const verdict = judge([published(1), published(2)], [witness([1]), witness([]), witness([1, 2])], ORDERED);
    expect(verdict).toMatchObject({ ...none, lost: 3, findings: expect.any(Array) });
  });

  it('does not ask for what nobody acknowledged, and takes it when it comes', () => {
    const publications = [published(1), { p: 0, n: 2, scope: TO_ALL, calledAt: 2, attempts: 3 }, published(3)];
    expect(judge(publications, [witness([1, 2, 3]), witness([1, 3])], ORDERED)).toMatchObject(none);
  });

  it('does not ask a client for what was before its position', () => {
    const publications = [published(1), published(2), published(3)];
    expect(judge(publications, [{ ...witness([3]), beganAt: '2-0' }], ORDERED)).toMatchObject(none);
    expect(judge(publications, [{ ...witness([]), beganAt: '2-0' }], ORDERED)).toMatchObject({ lost: 1 });
  });

  it('finds what came twice, under the same id and under another one', () => {
    const publications = [published(1), published(2)];
    expect(judge(publications, [witness([1, 1, 2])], ORDERED)).toMatchObject({ duplicated: 1, lost: 0 });
    expect(judge(publications, [witness([1, 2, delivered(1, '3-0')])], ORDERED)).toMatchObject({ duplicated: 1 });
  });

  it('finds what came out of order, by its id or by its publisher’s calls', () => {
    const publications = [published(1), published(2), published(3)];
    expect(judge(publications, [witness([1, 3, 2])], ORDERED)).toMatchObject({ outOfOrder: 1, lost: 0 });
    expect(judge(publications, [witness([2, 1, 3])], { idsAreOrdered: false })).toMatchObject({ outOfOrder: 1 });
    const swapped = [published(1, { id: '2-0' }), published(2, { id: '1-0' })];
    const heard = [delivered(2, '1-0'), delivered(1, '2-0')];
    expect(judge(swapped, [witness(heard)], ORDERED)).toMatchObject({ outOfOrder: 1 });
  });

  it('lets what needed a second attempt come when it may', () => {
    const publications = [published(1, { id: '3-0', attempts: 2 }), published(2, { id: '2-0' })];
    expect(judge(publications, [witness([2, delivered(1, '3-0')])], ORDERED)).toMatchObject(none);
  });

  it('compares positions by their numbers', () => {
    const publications = [published(1, { id: '9-9' }), published(2, { id: '9-10' }), published(3, { id: '10-0' })];
    const heard = [delivered(1, '9-9'), delivered(2, '9-10'), delivered(3, '10-0')];
    expect(judge(publications, [witness(heard)], ORDERED)).toMatchObject(none);
  });

  it.each([
    ['is not for it', [published(1, { scope: { kind: 'user', target: 'bob' } })], [1]],
    ['is not for it', [], [1]],
    ['and not as 1-0', [published(1)], [delivered(1, '2-0')]],
  ])('finds that a client heard what %s', (finding, publications, heard) => {
    expect(judge(publications, [witness(heard)], ORDERED).findings).toEqual([expect.stringContaining(finding)]);
  });

  it('finds one event that two clients heard under different ids', () => {
    const publications = [{ p: 0, n: 1, scope: TO_ALL, calledAt: 1, attempts: 1 }];
    const { findings } = judge(publications, [witness([1]), witness([delivered(1, '2-0')])], ORDERED);
    expect(findings).toHaveLength(1);
  });

  it('takes what nobody had acknowledged for no duplicate when it comes again behind a gap', () => {
    const publications = [published(1), published(2, { id: '4-0', attempts: 2 })];
    const again = witness([1, 2, delivered(2, '4-0')]);
    const gap = (after: number): HeardGap => ({ lastEventId: '', reason: 'reset', after });
    expect(judge(publications, [{ ...again, gaps: [gap(2)] }], ORDERED)).toMatchObject({ ...none, gaps: 1 });
    expect(judge(publications, [{ ...again, gaps: [gap(1)] }], ORDERED).duplicated).toBe(1);
    expect(judge(publications, [again], ORDERED).duplicated).toBe(1);
    const acknowledged = [published(1), published(2)];
    expect(judge(acknowledged, [{ ...again, gaps: [gap(2)] }], ORDERED).duplicated).toBe(1);
  });

  it('finds cursors that lead a client back, or past an event that it is sent later', () => {
    const publications = [published(1), published(3)];
    const judged = (id: string, after: number) =>
      judge(publications, [{ ...witness([1, 3]), cursors: [{ id, after }] }], ORDERED).outOfOrder;
    expect([judged('0-1', 0), judged('1-0', 1), judged('2-0', 1)]).toEqual([0, 0, 0]);
    expect([judged('0-5', 1), judged('3-0', 1)]).toEqual([1, 1]);
  });

  it('counts gaps, and hands on what a browser would have given up at', () => {
    const gap: HeardGap = { lastEventId: '1-0', reason: 'reset', after: 1 };
    const told = { ...witness([1]), gaps: [gap, gap], problems: ['status 500'] };
    expect(judge([published(1)], [told], ORDERED)).toMatchObject({
      gaps: 2,
      findings: [expect.stringContaining('status 500')],
    });
  });

  it('leaves out what a row does not require, if a gap stands in its place', () => {
    const rules: Rules = { ...ORDERED, required: ({ n }) => n > 2 };
    const publications = [published(1), published(2), published(3)];
    const gap = (after: number): HeardGap => ({ lastEventId: '', reason: 'reset', after });
    const judged = (after: number[]) => judge(publications, [{ ...witness([1, 3]), gaps: after.map(gap) }], rules).lost;
    expect([judged([1]), judged([]), judged([0]), judged([2])]).toEqual([0, 1, 1, 1]);
    expect(judge(publications, [{ ...witness([1]), gaps: [gap(1)] }], rules)).toMatchObject({ lost: 2 });
  });

  it('finds a number of a room that is left out or comes again, but for a gap', () => {
    const scope: Scope = { kind: 'room', target: 'red' };
    const publications = [published(1, { scope }), published(2, { scope }), published(3, { scope })];
    const numbered = (...numbers: number[]) => witness(numbers.map((seq, at) => ({ ...delivered(at + 1), seq })));
    const outOfOrder = (heard: Witness) => judge(publications, [heard], ORDERED).outOfOrder;
    expect(outOfOrder(numbered(7, 8, 9))).toBe(0);
    expect(judge(publications, [numbered(7, 9, 10)], ORDERED).findings).toHaveLength(1);
    expect(outOfOrder(numbered(7, 7, 8))).toBe(1);
    expect(outOfOrder(numbered(7, 6, 8))).toBe(1);
    const gaps: HeardGap[] = [{ lastEventId: '1-0', reason: 'evicted', after: 1 }];
    expect(judge(publications, [{ ...numbered(7, 9, 10), gaps }], ORDERED).findings).toEqual([]);
  });
});
