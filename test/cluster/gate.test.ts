import { expect, it, vi } from 'vitest';
import { Gate } from '../../src/cluster/gate.js';
import { atEnd } from '../helpers/cleanup.js';

/** A gate in fake time, and what became of the calls at it. */
function gated() {
  vi.useFakeTimers({ toFake: ['performance'] });
  atEnd(() => vi.useRealTimers());
  const gate = new Gate();
  const called: string[] = [];
  const call = (name: string) =>
    gate
      .pass(
        async () => called.push(name),
        () => 'done',
      )
      .catch(({ outcome, message }) => `${outcome}: ${message}`);
  return { gate, called, call };
}

it('lets through in call order what waited for the first connection, unless that came too late', async () => {
  const { gate, called, call } = gated();
  const early = [call('a')];
  vi.advanceTimersByTime(1000);
  early.push(call('b'), call('c'));
  vi.advanceTimersByTime(3500);
  expect(gate.isOpen).toBe(false);
  gate.open();
  expect(gate.isOpen).toBe(true);
  expect(called).toEqual(['b', 'c']);
  expect(await Promise.all(early)).toEqual(['refused: the connection to Redis came too late', 'done', 'done']);
  gate.open();
  expect(called).toEqual(['b', 'c']);
});

it.each([
  ['could not be made', false],
  ['was lost', true],
])('refuses what waits, and what comes, when the connection %s', async (_, isOpen) => {
  const { gate, called, call } = gated();
  if (isOpen) gate.open();
  const early = isOpen ? [] : [call('a')];
  gate.shut();
  const no = 'refused: there is no connection to Redis';
  expect([gate.isOpen, ...(await Promise.all([...early, call('b')]))]).toEqual([false, ...early.map(() => no), no]);
  gate.open();
  expect(await call('c')).toBe('done');
  expect(called).toEqual(['c']);
});

it('tells of what a call came to, also where it throws at once', async () => {
  const gate = new Gate();
  gate.open();
  const refused = () => {
    throw new Error('The client is offline');
  };
  const broken = () => Promise.reject(new Error('read ECONNRESET'));
  for (const [call, outcome] of [
    [refused, 'refused'],
    [broken, 'unknown'],
  ] as const)
    await expect(gate.pass(call, () => undefined)).rejects.toMatchObject({ outcome });
});
