import { describe, expect, it } from 'vitest';
import { Recent } from '../../src/cluster/recent.js';
import type { Scope } from '../../src/types.js';
import { randomFrom } from '../helpers/stall.js';

const user = (name: string): Scope => ({ kind: 'user', name });

describe('Recent', () => {
  it.each([1, 2, 3])('knows exactly what was there, whatever ids look like (seed %i)', (seed) => {
    const random = randomFrom(seed);
    const pick = (sides: number) => Math.floor(random() * sides);
    const recent = new Recent(() => 0);
    const known = new Set<string>();
    const scopes: Scope[] = [{ kind: 'all' }, user('a'), { kind: 'room', name: 'a' }, user('b'), user('')];
    for (let step = 0; step < 8000; step += 1) {
      const counter = Math.max(0, Math.floor(step / 20) + pick(20) - 10);
      const automatic = `${5 + pick(2)}-${'ab'.charAt(pick(2)).repeat(10)}-${counter}`;
      const id = [automatic, automatic, automatic, `${automatic}+cccccccccc.1`, `own ${counter}`, '', undefined][
        pick(7)
      ];
      const scope = scopes[pick(6)];
      const n = pick(10) === 0 ? undefined : `n${pick(2000)}`;
      const key = scope !== undefined && id ? `${id} ${scope.kind} ${scope.name}` : n;
      const was = key !== undefined && known.has(key);
      expect(recent.has(n, scope, id)).toBe(was);
      if (pick(4) > 0) expect(recent.seen(n, scope, id)).toBe(was);
      else if (!was) recent.add(n, scope, id);
      else continue;
      if (key !== undefined) known.add(key);
    }
  });

  it('remembers the latest 50,000 events though one id is for all of them, and not many more', () => {
    const recent = new Recent(() => 0);
    const users = Array.from({ length: 160_000 }, (_, n) => user(`${n}`));
    // A list of scopes for each id would be looked through again and again: for minutes.
    expect(users.filter((each) => recent.seen(undefined, each, 'news'))).toEqual([]);
    const remembered = users.map((each) => recent.has(undefined, each, 'news'));
    expect(remembered.slice(-50_000).every(Boolean)).toBe(true);
    expect(remembered.slice(0, 59_000).some(Boolean)).toBe(false);
  });

  it.each<[string, (index: number) => Parameters<Recent['has']>]>([
    ['numbers', (index: number) => [`n${index}`, undefined, undefined]],
    ['own ids', (index: number) => [undefined, user('ann'), `own ${index}`]],
    ['automatic ids', (index: number) => [undefined, user('ann'), `5-aaaaaaaaaa-${index}`]],
  ])('remembers %s of the last two minutes, and not those of long ago', (_, event) => {
    let seconds = 0;
    const recent = new Recent(() => seconds * 1000);
    const perSecond = 10;
    const knows = (second: number) => recent.has(...event(second * perSecond));
    for (; seconds < 1000; seconds += 1) {
      for (let index = 0; index < perSecond; index += 1) recent.add(...event(seconds * perSecond + index));
      expect([0, 60, 119].every((age) => knows(Math.max(0, seconds - age)))).toBe(true);
      if (seconds > 270) expect(knows(seconds - 270)).toBe(false);
    }
  });
});
