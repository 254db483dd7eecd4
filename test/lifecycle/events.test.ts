import { expect, it } from 'vitest';
import { SSEKify, SSEKifyError } from '../../src/index.js';
import { openStream } from '../helpers/client.js';
import { collect, next } from '../helpers/emitted.js';
import { flushed, MadeUpResponse } from '../helpers/made-up-response.js';
import { endWithTest, serveHub } from '../helpers/server.js';

const EVENTS = ['connect', 'disconnect', 'message-sent', 'publish', 'gap'] as const;

function hub() {
  const sse = new SSEKify({ keepAliveMs: 0 });
  endWithTest(sse);
  const connect = (userId = 'ann', options = {}) => {
    const response = new MadeUpResponse();
    return { response, handle: sse.registerConnection(userId, response.asResponse(), options) };
  };
  return { sse, connect };
}

it('tells of connections that come and go', async () => {
  const { sse, url } = await serveHub();
  const connects = collect(sse, 'connect');
  const disconnects = collect(sse, 'disconnect');
  const client = await openStream(`${url}/ann`);
  await client.until(({ retries }) => retries.length === 1);
  expect(connects).toMatchObject([{ userId: 'ann' }]);
  const { connId, handle } = connects[0] ?? {};
  expect(handle).toMatchObject({ connId, userId: 'ann', closed: false });
  expect(disconnects).toEqual([]);
  const left = next(sse, 'disconnect');
  client.close();
  expect(await left).toEqual({ userId: 'ann', connId, reason: 'client', durationMs: expect.any(Number) });
  expect(disconnects[0]?.durationMs).toBeGreaterThanOrEqual(0);
  expect(Number.isInteger(disconnects[0]?.durationMs)).toBe(true);
});

it('tells of what was sent, and to how many', async () => {
  const { sse, connect } = hub();
  connect('ann', { rooms: ['r'] });
  connect('bob');
  const sent = collect(sse, 'message-sent');
  sse.sendToUser('ann', 1);
  sse.sendToUser('nobody', 1);
  sse.sendToRoom('r', 1);
  sse.sendToAll(1);
  await sse.publish(1, 'ann');
  expect(sent).toEqual([
    { scope: 'user', userId: 'ann', count: 1 },
    { scope: 'user', userId: 'nobody', count: 0 },
    { scope: 'room', room: 'r', count: 1 },
    { scope: 'all', count: 2 },
    { scope: 'user', userId: 'ann', count: 1 },
  ]);
});

it('goes on when listeners throw, and reports it', async () => {
  const { sse, connect } = hub();
  for (const event of EVENTS) {
    sse.on(event, () => {
      throw new TypeError(`from ${event}`);
    });
  }
  const errors = collect(sse, 'error');
  const { handle, response } = connect();
  expect(handle.closed).toBe(false);
  expect(sse.sendToUser('ann', 'one')).toBe(1);
  await sse.publish('two', 'ann');
  await flushed();
  expect(response.text).toContain('"one"');
  expect(response.text).toContain('"two"');
  connect('bob', { lastEventId: 'unheard-of' });
  handle.close();
  expect(sse.getUserConnectionCount('ann')).toBe(0);
  const failed = new Set(errors.map(({ cause }) => (cause instanceof Error ? cause.message : '')));
  expect(failed).toEqual(new Set(EVENTS.map((event) => `from ${event}`)));
  for (const error of errors) {
    expect(error).toBeInstanceOf(SSEKifyError);
    expect(error.code).toBe('LISTENER_FAILED');
  }
  expect(sse.stats().errorCount).toBe(errors.length);
});

it('never throws an error that nobody listens to: the first is a process warning', async () => {
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on('warning', note);
  const { sse } = hub();
  for (let n = 0; n < 3; n += 1) expect(sse.sendToAll(undefined)).toBe(0);
  sse.on('error', () => {
    throw new Error('even the error listener');
  });
  expect(sse.sendToAll(undefined)).toBe(0);
  await flushed();
  process.off('warning', note);
  expect(warnings).toMatchObject([{ code: 'NOT_SERIALIZABLE' }, { code: 'LISTENER_FAILED' }]);
  expect(sse.stats().errorCount).toBe(4);
});

it('can be closed and sent to from inside its events', async () => {
  const { sse, connect } = hub();
  const disconnects = collect(sse, 'disconnect');
  sse.on('connect', ({ userId, handle }) => {
    if (userId === 'gone') handle.close();
    else handle.send(`welcome ${userId}`);
  });
  sse.on('disconnect', ({ userId }) => {
    sse.sendToAll(`${userId} left`);
    if (userId === 'ann') sse.close('bob');
  });
  let answered = 0;
  sse.on('message-sent', ({ scope }) => {
    if (scope === 'user') answered += sse.sendToRoom('room', 'an echo');
  });
  expect(connect('gone').handle.closed).toBe(true);
  const ann = connect('ann');
  const bob = connect('bob', { rooms: ['room'] });
  const cy = connect('cy', { rooms: ['room'] });
  sse.sendToUser('ann', 'hello');
  expect(answered).toBe(2);
  ann.handle.close();
  await flushed();
  expect(bob.handle.closed).toBe(true);
  const data = (text: string) => text.match(/^data: .*/gm);
  expect(data(cy.response.text)).toEqual([
    'data: "welcome cy"',
    'data: "an echo"',
    'data: "ann left"',
    'data: "bob left"',
  ]);
  expect(data(bob.response.text)).toEqual(['data: "welcome bob"', 'data: "an echo"', 'data: "ann left"']);
  expect(disconnects.map(({ userId }) => userId).sort()).toEqual(['ann', 'bob', 'gone']);
  expect(sse.stats().connections).toBe(1);
});

it('lets a listener register and close connections while others are being closed', async () => {
  const { sse, connect } = hub();
  for (let n = 0; n < 10; n += 1) connect(`u${n}`);
  let came = 0;
  sse.on('disconnect', ({ userId }) => {
    if (!userId.startsWith('u')) return;
    came += 1;
    connect(`v${userId}`);
    sse.close('u9');
  });
  expect(sse.close()).toBe(10);
  expect(came).toBe(10);
  expect(sse.stats()).toMatchObject({ connections: 10, users: 10 });
});

it('closes and sends from inside a gap event of a client that catches up', async () => {
  const { sse, connect } = hub();
  const { response } = connect('ann', { maxQueueItems: 2 });
  await flushed();
  response.takes = false;
  sse.sendToUser('ann', 'taken', { id: 0 });
  await flushed();
  for (let n = 1; n < 5; n += 1) sse.sendToUser('ann', n, { id: n });
  sse.on('gap', () => {
    sse.sendToUser('ann', 'from the listener', { id: 'last' });
    sse.close('ann');
  });
  response.takes = true;
  response.drain();
  await flushed();
  expect([...response.text.matchAll(/^id: (.*)$/gm)].map(([, id]) => id)).toEqual(['0', '3', '4', 'last']);
  expect(response.ends).toBe(1);
});

it('tells that a connection came before anything else of it', () => {
  const { sse, connect } = hub();
  const told: string[] = [];
  for (const event of ['connect', 'disconnect', 'gap', 'room-created', 'room-removed'] as const)
    sse.on(event, () => told.push(event));
  sse.on('gap', ({ userId }) => sse.close(userId));
  expect(connect('ann', { lastEventId: 'unheard-of', rooms: ['r'] }).handle.closed).toBe(true);
  expect(told).toEqual(['connect', 'room-created', 'gap', 'disconnect', 'room-removed']);
  expect(sse.stats()).toMatchObject({ connections: 0, rooms: 0 });
});

it('tells every listener that a connection came before it tells that it left', () => {
  const { sse, connect } = hub();
  sse.on('connect', ({ userId, handle }) => {
    if (userId === 'nobody') handle.close();
    if (userId === 'ann') connect('nobody');
  });
  const online = new Set<string>();
  const told: string[] = [];
  sse.on('connect', ({ userId, connId }) => {
    told.push(`+${userId}`);
    online.add(connId);
  });
  sse.on('disconnect', ({ userId, connId, reason }) => {
    told.push(`-${userId} ${reason}`);
    online.delete(connId);
  });
  connect('nobody');
  expect(told.splice(0)).toEqual(['+nobody', '-nobody server']);
  connect('ann').handle.close();
  expect(told).toEqual(['+nobody', '-nobody server', '+ann', '-ann server']);
  expect(online.size).toBe(0);
});

it('closes users that it is asked to, and nobody by mistake', async () => {
  const { sse, connect } = hub();
  connect('ann');
  connect('ann');
  connect('bob');
  const nobody: string | undefined = undefined;
  // @ts-expect-error that is the mistake
  expect(() => sse.close(nobody)).toThrow(expect.objectContaining({ code: 'INVALID_USER_ID' }));
  // @ts-expect-error that is the mistake
  expect(() => sse.clearRecent(nobody)).toThrow(expect.objectContaining({ code: 'INVALID_USER_ID' }));
  expect(sse.close('nobody')).toBe(0);
  expect(sse.close('ann')).toBe(2);
  expect(sse.close('ann')).toBe(0);
  expect(sse.close()).toBe(1);
  expect(sse.close()).toBe(0);
});

it('makes the envelope of a publish event only when somebody listens', async () => {
  const { sse } = hub();
  await sse.publish({ a: 1 }, 'ann');
  const envelopes = collect(sse, 'publish');
  await sse.publish({ a: 1 }, 'ann', { event: 'note' });
  await sse.publishToRoom('r', 'x');
  await sse.publishToAll('x');
  expect(envelopes).toMatchObject([
    { type: 'user', target: 'ann', event: 'note' },
    { type: 'room', target: 'r' },
    { type: 'all' },
  ]);
});
