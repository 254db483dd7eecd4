import { setTimeout as wait } from 'node:timers/promises';
import { expect, it } from 'vitest';
import type { SSEKify } from '../../src/index.js';
import { openStream } from '../helpers/client.js';
import { collect } from '../helpers/emitted.js';
import { type MemoryAdapter, MemoryBus } from '../helpers/memory-bus.js';
import { serveHub } from '../helpers/server.js';

const FOREIGN = JSON.stringify({ type: 'user', target: 'nobody', data: 1 });

async function instance() {
  const adapter = new MemoryBus().adapter();
  const { sse, url } = await serveHub({ hub: { redis: adapter } });
  const errors = collect(sse, 'error');
  await sse.ready();
  const ann = await openStream(`${url}/ann`);
  return { adapter, sse, errors, ann, said: () => ann.events.map(({ data }) => data) };
}

/** More publishes under way than are let go without their echoes, on a channel that answers when it is told to, and is silent. */
async function aheadOfAnswers() {
  const answers: (() => void)[] = [];
  const adapter = {
    publish: () => new Promise<void>((resolve) => answers.push(resolve)),
    subscribe: async () => undefined,
    on: () => undefined,
  };
  const { sse } = await serveHub({ hub: { redis: adapter } });
  const errors = collect(sse, 'error');
  await sse.ready();
  return { sse, errors, answers, ahead: publishMany(sse) };
}

const publishMany = (sse: SSEKify) => Promise.all(Array.from({ length: 1001 }, (_, n) => sse.publishToUser('ann', n)));

/** Lets messages of others arrive for a while. */
function othersFor(ms: number, adapter: MemoryAdapter): Promise<void> {
  const end = performance.now() + ms;
  return othersWhile(() => performance.now() < end, adapter);
}

async function othersWhile(goesOn: () => boolean, ...adapters: MemoryAdapter[]): Promise<void> {
  while (goesOn()) {
    for (const adapter of adapters) adapter.hear(FOREIGN);
    await wait(100);
  }
}

it('waits for an echo that stands in line behind messages of others, but no longer than six seconds', async () => {
  const late = async () => {
    const { adapter, sse, errors, ann, said } = await instance();
    adapter.delays = true;
    await sse.publishToUser('ann', 1);
    await othersFor(3000, adapter);
    expect(said()).toEqual([]);
    expect(sse.stats().bus).toMatchObject({ pending: 1, fallbacks: 0 });
    adapter.arrive();
    await ann.received(1);
    expect(errors).toEqual([]);
    expect(sse.stats().bus).toMatchObject({ pending: 0, fallbacks: 0, duplicates: 0 });
  };
  const lost = async () => {
    const { adapter, sse, errors, said } = await instance();
    adapter.delays = true;
    await sse.publishToUser('ann', 1);
    await othersWhile(() => said().length === 0, adapter);
    adapter.arrive();
    expect(said()).toEqual(['1']);
    expect(errors.map(({ code }) => code)).toEqual(['ECHO_LOST']);
    expect(sse.stats().bus).toMatchObject({ pending: 0, fallbacks: 1, duplicates: 1 });
  };
  await Promise.all([late(), lost()]);
}, 30_000);

it('takes an echo for lost when a later one came, whatever comes from others', async () => {
  const [{ adapter, sse, errors, ann, said }, waiting] = await Promise.all([instance(), instance()]);
  for (const each of [adapter, waiting.adapter]) each.losesEchoes = true;
  await Promise.all([sse, waiting.sse].map((each) => each.publishToUser('ann', 1)));
  adapter.losesEchoes = false;
  await sse.publishToUser('ann', 2);
  await ann.received(1);
  await othersWhile(() => said().length < 2, adapter, waiting.adapter);
  expect(said()).toEqual(['2', '1']);
  // Nothing of its own came there, so that its event may still be on its way.
  expect(waiting.said()).toEqual([]);
  expect(errors.map(({ code }) => code)).toEqual(['ECHO_LOST']);
}, 15_000);

it('delivers what got lost in the order it was published in, though some of it was awaited for longer', async () => {
  const { adapter, sse, errors, ann, said } = await instance();
  adapter.losesEchoes = true;
  await sse.publishToUser('ann', 1);
  await othersFor(500, adapter);
  for (const n of [2, 3]) await sse.publishToUser('ann', n);
  await ann.received(3);
  expect(said()).toEqual(['1', '2', '3']);
  expect(errors.map(({ code }) => code)).toEqual(['ECHO_LOST']);
}, 15_000);

it('delivers what got lost in the order it was published in, though its answers came in another', async () => {
  const answers: (() => void)[] = [];
  const adapter = {
    publish: () => new Promise<void>((resolve) => answers.push(resolve)),
    subscribe: async () => undefined,
    on: () => undefined,
  };
  const { sse, url } = await serveHub({ hub: { redis: adapter } });
  const errors = collect(sse, 'error');
  await sse.ready();
  const ann = await openStream(`${url}/ann`);
  const published = [0, 1, 2].map((n) => sse.publishToUser('ann', n));
  for (const n of [2, 0, 1]) {
    answers[n]?.();
    await published[n];
  }
  await ann.received(3);
  expect(ann.events.map(({ data }) => data)).toEqual(['0', '1', '2']);
  expect(errors.map(({ code }) => code)).toEqual(['ECHO_LOST']);
}, 15_000);

it('lets nobody who awaits publishes run far ahead of what came back', async () => {
  const { adapter, sse } = await instance();
  adapter.delays = true;
  let resolved = 0;
  const publish = async (times: number) => {
    const all = Array.from({ length: times }, (_, n) => sse.publishToUser('ann', n));
    for (const each of all) each.then(() => (resolved += 1));
    await wait(50);
    return Promise.all(all);
  };
  await publish(1000);
  expect(resolved).toBe(1000);
  const ahead = publish(5);
  await wait(100);
  expect(resolved).toBe(1000);
  adapter.arrive();
  await ahead;
  expect(resolved).toBe(1005);
  expect(sse.stats().bus).toMatchObject({ received: 1005, pending: 0, fallbacks: 0 });
});

it('resolves a publish that is ahead though it never comes back, or its subscription or its hub ends', async () => {
  for (const end of ['lost', 'down', 'shutdown'] as const) {
    const { adapter, sse, errors } = await instance();
    adapter.delays = true;
    const ahead = publishMany(sse);
    if (end === 'down') adapter.tell('down');
    if (end === 'shutdown') await sse.shutdown({ graceMs: 50 });
    expect(await ahead, end).toHaveLength(1001);
    if (end !== 'shutdown') expect(sse.stats().bus).toMatchObject({ pending: 0, fallbacks: 1001 });
    expect(
      errors.every(({ code }) => code === (end === 'down' ? 'BUS_DOWN' : 'ECHO_LOST')),
      end,
    ).toBe(true);
  }
}, 15_000);

it('resolves a publish that is ahead though it was answered late, and a later one is found to be lost before', async () => {
  const { sse, ahead, answers } = await aheadOfAnswers();
  const [first, ...others] = answers;
  for (const answer of others) answer();
  await wait(500);
  first?.();
  expect(await ahead).toHaveLength(1001);
  expect(sse.stats().bus).toMatchObject({ pending: 0, fallbacks: 1001 });
}, 15_000);

it('lets nobody who is ahead wait longer because messages of others are before the echo', async () => {
  const { adapter, sse, errors } = await instance();
  adapter.delays = true;
  let isWaiting = true;
  const ahead = publishMany(sse).finally(() => {
    isWaiting = false;
  });
  await othersWhile(() => isWaiting, adapter);
  expect(await ahead).toHaveLength(1001);
  // They may still come.
  expect(errors).toEqual([]);
  expect(sse.stats().bus).toMatchObject({ pending: 1001, fallbacks: 0 });
}, 15_000);

it('resolves what was answered late without waiting for the echo, too', async () => {
  const { sse, errors, ahead, answers } = await aheadOfAnswers();
  // The echo may take longer than what is left of the five seconds.
  await wait(3200);
  for (const answer of answers) answer();
  expect(await ahead).toHaveLength(1001);
  expect(errors).toEqual([]);
  expect(sse.stats().bus).toMatchObject({ pending: 1001, fallbacks: 0 });
}, 15_000);

it('leaves what has no answer alone when what was published behind it does not come back', async () => {
  const { adapter, sse, errors, ann, said } = await instance();
  Object.assign(adapter, { losesEchoes: true, silent: true });
  const unanswered = sse.publishToUser('ann', 'first');
  adapter.silent = false;
  await sse.publishToUser('ann', 'second');
  await ann.received(1);
  expect(said()).toEqual(['"second"']);
  await expect(unanswered).rejects.toMatchObject({ code: 'PUBLISH_UNANSWERED', delivered: 1 });
  await ann.received(2);
  expect(errors.map(({ code }) => code)).toEqual(['ECHO_LOST', 'PUBLISH_UNANSWERED']);
});
