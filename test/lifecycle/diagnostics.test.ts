import { type ChannelListener, subscribe, unsubscribe } from 'node:diagnostics_channel';
import { once } from 'node:events';
import { expect, it } from 'vitest';
import { Reporter } from '../../src/events.js';
import { SSEKify, type SSEKifyDiagnostics } from '../../src/index.js';
import { Counters } from '../../src/stats.js';
import { runScript } from '../helpers/child.js';
import { atEnd } from '../helpers/cleanup.js';
import { openStream } from '../helpers/client.js';
import { MemoryBus } from '../helpers/memory-bus.js';
import { endWithTest, serveHub } from '../helpers/server.js';
import { STALL_HUB, stall } from '../helpers/stall.js';

/** Subscribes to a channel until the test ends; gives what it tells from now on. */
function watch<Name extends keyof SSEKifyDiagnostics>(
  name: Name,
  react?: (message: SSEKifyDiagnostics[Name]) => void,
): SSEKifyDiagnostics[Name][] {
  const seen: SSEKifyDiagnostics[Name][] = [];
  const listener: ChannelListener = (message) => {
    const told = message as SSEKifyDiagnostics[Name];
    seen.push(told);
    react?.(told);
  };
  subscribe(name, listener);
  atEnd(() => unsubscribe(name, listener));
  return seen;
}

it('tells of connections that come and go, and of which hub they are', async () => {
  const { sse, url } = await serveHub();
  const other = await serveHub();
  const order: string[] = [];
  sse.on('connect', () => order.push('event'));
  const connects = watch('ssekify:connect', () => order.push('channel'));
  const disconnects = watch('ssekify:disconnect');
  const client = await openStream(`${url}/ann`);
  await client.until(({ retries }) => retries.length === 1);
  const { connId } = connects[0] ?? {};
  expect(connects).toHaveLength(1);
  expect(connects[0]).toMatchObject({ userId: 'ann', handle: { connId, closed: false } });
  expect(connects[0]?.hub).toBe(sse);
  expect(order).toEqual(['channel', 'event']);
  const left = once(sse, 'disconnect');
  client.close();
  await left;
  expect(disconnects).toEqual([{ hub: sse, userId: 'ann', connId, reason: 'client', durationMs: expect.any(Number) }]);
  await openStream(`${other.url}/bob`);
  expect(connects.map(({ hub }) => hub)).toEqual([sse, other.sse]);
});

it('tells what was sent and published, with listeners and without', async () => {
  const { sse, url } = await serveHub();
  const sends = watch('ssekify:send');
  const publishes = watch('ssekify:publish');
  const client = await openStream(`${url}/ann?rooms=r`);
  await client.until(({ retries }) => retries.length === 1);
  sse.sendToUser('ann', 1);
  sse.sendToRoom('r', 1);
  sse.on('publish', () => undefined);
  const { id } = await sse.publishToAll({ n: 1 }, { event: 'note' });
  expect(sends).toEqual([
    { hub: sse, scope: 'user', userId: 'ann', count: 1 },
    { hub: sse, scope: 'room', room: 'r', count: 1 },
    { hub: sse, scope: 'all', count: 1 },
  ]);
  expect(publishes).toMatchObject([{ type: 'all', event: 'note', id, data: { n: 1 } }]);
  expect(publishes[0]?.hub).toBe(sse);
});

it('tells what is received from the channel between instances', async () => {
  const bus = new MemoryBus();
  const [here, there] = [new SSEKify({ redis: bus.adapter() }), new SSEKify({ redis: bus.adapter() })];
  for (const sse of [here, there]) {
    endWithTest(sse);
    await sse.ready();
  }
  const publishes = watch('ssekify:publish');
  await here.publishToUser('ann', { n: 1 });
  await expect.poll(() => publishes.length).toBe(2);
  expect(new Set(publishes.map(({ hub }) => hub))).toEqual(new Set([here, there]));
  expect(publishes).toMatchObject([
    { type: 'user', target: 'ann', data: { n: 1 } },
    { type: 'user', target: 'ann', data: { n: 1 } },
  ]);
});

it.each(['oldest', 'newest'] as const)('tells which client lost frames by the policy %s', async (dropPolicy) => {
  const { sse, url, handle } = await serveHub({ hub: STALL_HUB, register: { dropPolicy, maxQueueItems: 2 } });
  const drops = watch('ssekify:drop');
  const client = await openStream(`${url}/ann`, { paused: true });
  const { connId } = await handle(0);
  await stall(sse, 'ann');
  for (let n = 0; n < 5; n += 1) sse.sendToUser('ann', n);
  // Later: the call that sends is over first.
  const before = drops.length;
  await Promise.resolve();
  expect(drops.length).toBeGreaterThan(before);
  for (const drop of drops) expect(drop).toMatchObject({ hub: sse, userId: 'ann', connId });
  const { droppedOldest, droppedNewest } = sse.stats();
  const sum = (which: 'oldest' | 'newest') => drops.reduce((total, drop) => total + drop[which], 0);
  expect([sum('oldest'), sum('newest')]).toEqual([droppedOldest, droppedNewest]);
  expect(sum(dropPolicy)).toBeGreaterThan(2);
  client.close();
});

it('lets a subscriber of drops use the hub', async () => {
  const { sse, url, handle } = await serveHub({ hub: STALL_HUB, register: { maxQueueItems: 1 } });
  await openStream(`${url}/ann`, { paused: true });
  await handle(0);
  await stall(sse, 'ann');
  const disconnects = watch('ssekify:disconnect');
  watch('ssekify:drop', ({ userId }) => sse.close(userId));
  expect([sse.sendToAll(1), sse.sendToAll(2)]).toEqual([1, 1]);
  await Promise.resolve();
  expect(disconnects).toMatchObject([{ userId: 'ann', reason: 'server' }]);
});

it('makes no payload when nobody listens or has subscribed', () => {
  const made: string[] = [];
  const reporter = new Reporter({ hub: {}, emit: () => undefined, listens: () => false }, new Counters());
  const tellAll = () => {
    made.length = 0;
    for (const event of ['connect', 'disconnect', 'message-sent', 'publish'] as const) {
      reporter.tell(event, () => ({ made: made.push(event) }));
    }
    reporter.dropped(() => ({ userId: 'ann', connId: 'c', oldest: made.push('drop'), newest: 0 }));
    return made;
  };
  const listener = () => undefined;
  expect(tellAll()).toEqual([]);
  expect(reporter.isHeard('connect')).toBe(false);
  for (const name of ['ssekify:connect', 'ssekify:drop']) subscribe(name, listener);
  expect(reporter.isHeard('connect')).toBe(true);
  expect(tellAll()).toEqual(['connect', 'drop']);
  for (const name of ['ssekify:connect', 'ssekify:drop']) unsubscribe(name, listener);
  expect(tellAll()).toEqual([]);
});

it('delivers all the same when a subscriber throws, of which Node tells as of an uncaught exception', async () => {
  const { code, stdout, stderr } = await runScript(`
    import http from 'node:http';
    import { subscribe } from 'node:diagnostics_channel';
    import { SSEKify } from 'ssekify';
    const failures = [];
    process.on('uncaughtException', (error) => failures.push(error.message));
    for (const name of ['connect', 'disconnect', 'send', 'publish']) {
      subscribe('ssekify:' + name, () => {
        throw new Error('from ' + name);
      });
    }
    const sse = new SSEKify();
    let heard = 0;
    for (const event of ['connect', 'disconnect', 'message-sent', 'publish']) sse.on(event, () => { heard += 1; });
    const server = http.createServer((req, res) => {
      sse.registerConnection('ann', res);
      sse.publishToUser('ann', 'delivered');
    });
    server.listen(0, () => {
      const request = http.get({ port: server.address().port, agent: false }, (response) => {
        let text = '';
        response.on('data', async (data) => {
          text += data;
          if (!text.includes('"delivered"')) return;
          response.removeAllListeners('data').resume();
          server.close();
          await sse.shutdown({ graceMs: 60000 });
          console.log(JSON.stringify({ heard, errors: sse.stats().errorCount, failures: failures.sort() }));
        });
      });
    });
  `);
  expect({ code, stderr }).toEqual({ code: 0, stderr: '' });
  expect(JSON.parse(stdout)).toEqual({
    heard: 4,
    errors: 0,
    failures: ['from connect', 'from disconnect', 'from publish', 'from send'],
  });
});
