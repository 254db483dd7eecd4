import { AsyncLocalStorage } from 'node:async_hooks';
import { expect, it } from 'vitest';
import { SSEKify } from '../../src/index.js';
import { openStream } from '../helpers/client.js';
import { MadeUpResponse } from '../helpers/made-up-response.js';
import { endWithTest, serve } from '../helpers/server.js';

const user = new AsyncLocalStorage<string>();

it('tells of an end that its time has come outside the context of whoever registered last', async () => {
  const sse = new SSEKify();
  endWithTest(sse);
  const left = new Promise((resolve) =>
    sse.on('disconnect', ({ userId, reason }) => resolve({ userId, reason, context: user.getStore() })),
  );
  const { url } = await serve((req, res) => {
    const name = req.url?.slice(1) ?? '';
    // The heartbeats of bob set the timer anew, for as long as he stays.
    const options = name === 'ann' ? { maxLifetimeMs: 200 } : { keepAliveMs: 20 };
    user.run(name, () => sse.registerConnection(name, res, options));
  });
  await openStream(`${url}/ann`);
  await openStream(`${url}/bob`);
  expect(await left).toEqual({ userId: 'ann', reason: 'lifetime', context: undefined });
});

it('tells of a gap outside the context of whoever sent in the same tick', async () => {
  const sse = new SSEKify();
  endWithTest(sse);
  const slow = new MadeUpResponse();
  const handle = sse.registerConnection('ann', slow.asResponse(), { maxQueueItems: 1 });
  slow.takes = false;
  handle.send(1);
  await new Promise((resolve) => setImmediate(resolve));
  handle.send(2);
  handle.send(3);
  const told = new Promise((resolve) =>
    sse.on('gap', ({ userId, reason }) => resolve({ userId, reason, context: user.getStore() })),
  );
  sse.registerConnection('bob', new MadeUpResponse().asResponse());
  user.run('bob', () => sse.sendToUser('bob', 'hello'));
  slow.takes = true;
  slow.drain();
  expect(await told).toEqual({ userId: 'ann', reason: 'dropped', context: undefined });
});

it('tells of what a call does in the context of its caller', async () => {
  const sse = new SSEKify();
  endWithTest(sse);
  const contexts: [string, string | undefined][] = [];
  for (const name of ['connect', 'message-sent', 'disconnect'] as const)
    sse.on(name, () => contexts.push([name, user.getStore()]));
  user.run('ann', () => sse.registerConnection('ann', new MadeUpResponse().asResponse()));
  user.run('bob', () => sse.sendToUser('ann', 'hello'));
  user.run('eve', () => sse.close('ann'));
  expect(contexts).toEqual([
    ['connect', 'ann'],
    ['message-sent', 'bob'],
    ['disconnect', 'eve'],
  ]);
});

it('keeps no context that a listener enters', async () => {
  const sse = new SSEKify();
  endWithTest(sse);
  const contexts: unknown[] = [];
  for (const name of ['gap', 'disconnect'] as const) {
    sse.on(name, ({ userId }: { userId: string }) => {
      contexts.push([name, userId, user.getStore()]);
      user.enterWith(userId);
    });
  }
  for (const name of ['ann', 'bob']) {
    const left = new Promise((resolve) => sse.once('disconnect', resolve));
    const slow = new MadeUpResponse();
    const handle = sse.registerConnection(name, slow.asResponse(), { maxQueueItems: 1, maxLifetimeMs: 200 });
    slow.takes = false;
    handle.send(1);
    await new Promise((resolve) => setImmediate(resolve));
    handle.send(2);
    handle.send(3);
    slow.drain();
    await left;
  }
  expect(contexts).toEqual([
    ['gap', 'ann', undefined],
    ['disconnect', 'ann', undefined],
    ['gap', 'bob', undefined],
    ['disconnect', 'bob', undefined],
  ]);
});
