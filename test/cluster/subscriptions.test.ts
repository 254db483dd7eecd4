import { expect, it, vi } from 'vitest';
import type { SubscribedLink } from '../../src/cluster/link.js';
import { Subscriptions } from '../../src/cluster/subscriptions.js';
import { atEnd } from '../helpers/cleanup.js';

interface Answer {
  resolve(): void;
  reject(error: Error): void;
}

/** A connection whose answers the test gives, in fake time. */
function connected() {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout'] });
  atEnd(() => vi.useRealTimers());
  const asked: string[] = [];
  const answers: Answer[] = [];
  const ask = (what: string) =>
    new Promise<void>((resolve, reject) => {
      asked.push(what);
      answers.push({ resolve, reject });
    });
  const link: SubscribedLink = {
    alive: true,
    listen: () => undefined,
    subscribe: (channel) => ask(`subscribe ${channel}`),
    unsubscribe: (channel) => ask(`unsubscribe ${channel}`),
    check: () => ask('check'),
    renew: () => void asked.push('renew'),
    end: () => undefined,
  };
  const errors: unknown[] = [];
  const states: string[] = [];
  const subscriptions = new Subscriptions(link, (error) => errors.push(error));
  subscriptions.listeners.add((state, channel) => states.push(`${state} ${channel}`));
  subscriptions.publishing = true;
  const pass = (ms = 0) => vi.advanceTimersByTimeAsync(ms);
  /** The answer to what was asked as the first, the second and so on. */
  const answer = (index: number, refusal?: Error) => {
    if (refusal === undefined) answers[index]?.resolve();
    else answers[index]?.reject(refusal);
    return pass();
  };
  return { subscriptions, asked, errors, states, answer, pass };
}

const refusal = new Error('NOPERM');

it('gives up a connection that can subscribe to nothing, and not the one that came instead', async () => {
  const { subscriptions, asked, errors, answer, pass } = connected();
  void subscriptions.add('a');
  subscriptions.restore();
  await answer(0, refusal);
  await pass(500);
  expect(asked).toEqual(['subscribe a', 'renew']);
  subscriptions.lost();
  subscriptions.restore();
  await answer(1);
  await pass(100);
  subscriptions.lost();
  subscriptions.restore();
  await answer(2, refusal);
  subscriptions.lost();
  subscriptions.restore();
  await pass(10_000);
  expect(asked).toEqual(['subscribe a', 'renew', 'subscribe a', 'subscribe a', 'subscribe a']);
  expect(errors).toHaveLength(2);
});

it('keeps a connection whose refused channel nobody wants any more', async () => {
  const { subscriptions, asked, answer, pass } = connected();
  void subscriptions.add('a');
  subscriptions.restore();
  await answer(0, refusal);
  void subscriptions.remove('a');
  await pass(10_000);
  expect(asked).toEqual(['subscribe a', 'unsubscribe a']);
});

it('takes no answer for that of a later connection, or of who wants the channel again', async () => {
  const { subscriptions, asked, errors, states, answer } = connected();
  void subscriptions.add('a');
  subscriptions.restore();
  subscriptions.lost();
  subscriptions.restore();
  await answer(0);
  expect(states).toEqual([]);
  void subscriptions.remove('a');
  void subscriptions.add('a');
  expect(asked).toEqual(['subscribe a', 'subscribe a', 'unsubscribe a', 'subscribe a']);
  await answer(1, refusal);
  expect([states, errors]).toEqual([[], []]);
  await answer(3);
  expect(states).toEqual(['up a']);
});

it('asks nothing of a connection that is not there, which may never be', async () => {
  const { subscriptions, asked } = connected();
  void subscriptions.add('a');
  void subscriptions.add('b');
  await subscriptions.remove('a');
  subscriptions.restore();
  expect(asked).toEqual(['subscribe b']);
  subscriptions.lost();
  await subscriptions.remove('b');
  expect(asked).toEqual(['subscribe b']);
});

it('asks again for what was refused alone, and once, where other channels stand', async () => {
  const { subscriptions, asked, states, answer, pass } = connected();
  for (const channel of ['a', 'b', 'c']) void subscriptions.add(channel);
  subscriptions.restore();
  await answer(1);
  await answer(0, refusal);
  await pass(100);
  await answer(2, refusal);
  await pass(500);
  expect(asked).toEqual(['subscribe a', 'subscribe b', 'subscribe c', 'subscribe a', 'subscribe c']);
  await answer(3);
  expect(states).toEqual(['up b', 'up a']);
  subscriptions.lost();
  subscriptions.lost();
  expect(states.slice(2)).toEqual(['down a', 'down b']);
  subscriptions.restore();
  await answer(5);
  expect(states.slice(4)).toEqual(['up a']);
});

it('says that a channel stands when it can be published to as well, and takes nothing back for want of that', async () => {
  const { subscriptions, states, answer, pass } = connected();
  subscriptions.publishing = false;
  const stood: string[] = [];
  const add = (who: string) => void subscriptions.add('a').then(() => stood.push(who));
  add('first');
  subscriptions.restore();
  await answer(0);
  add('second');
  await pass();
  expect([states, stood]).toEqual([[], []]);
  subscriptions.publishing = true;
  await pass();
  expect([states, stood]).toEqual([['up a'], ['first', 'second']]);
  subscriptions.publishing = false;
  subscriptions.publishing = true;
  add('third');
  await pass();
  expect([states, stood.at(-1)]).toEqual([['up a'], 'third']);
  subscriptions.lost();
  subscriptions.publishing = true;
  expect(states).toEqual(['up a', 'down a']);
});

it('leaves a channel when the last one leaves that wanted it', async () => {
  const { subscriptions, asked } = connected();
  for (const channel of ['a', 'a']) void subscriptions.add(channel);
  subscriptions.restore();
  void subscriptions.remove('a');
  expect(asked).toEqual(['subscribe a']);
  void subscriptions.remove('a');
  expect(asked).toEqual(['subscribe a', 'unsubscribe a']);
});

it('tells nobody of anything, and tries nothing again, once it is released', async () => {
  const { subscriptions, asked, errors, states, answer, pass } = connected();
  for (const channel of ['a', 'b', 'c']) void subscriptions.add(channel);
  subscriptions.restore();
  await answer(0);
  await answer(1, refusal);
  const isLast = () => subscriptions.release();
  expect([isLast(), isLast(), isLast(), isLast()]).toEqual([false, false, true, false]);
  await answer(2, refusal);
  await pass(10_000);
  subscriptions.lost();
  subscriptions.restore();
  expect(asked).toEqual(['subscribe a', 'subscribe b', 'subscribe c']);
  expect([states, errors]).toEqual([['up a'], [refusal]]);
});
