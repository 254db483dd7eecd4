import { expect, it, vi } from 'vitest';
import { type EggData, type EggMessage, EggSSE, type EggSSEOptions } from '../../src/egg/index.js';
import type { EggMessenger } from '../../src/egg/messenger.js';
import { atEnd } from '../helpers/cleanup.js';
import type { StreamReader } from '../helpers/client.js';
import { collect } from '../helpers/emitted.js';
import { endWithTest } from '../helpers/server.js';
import { read, requestFor } from '../web/responses.js';
import { Messengers } from './messengers.js';

function make(options?: EggSSEOptions): EggSSE {
  const sse = new EggSSE(options, new Messengers().worker());
  endWithTest(sse.hub);
  return sse;
}

const connect = ({ hub }: EggSSE, key: string): StreamReader => read(hub.respond(requestFor(), key));

/** Data of whatever type, as JavaScript gives it. */
const given = (data: unknown) => data as EggData;

it('counts whom a comment was sent to: the clients of a pool, whose key may be a number, or all', async () => {
  const sse = make();
  const [ann, other, seven] = [connect(sse, 'ann'), connect(sse, 'ann'), connect(sse, '7')];
  expect(sse.send('ann', ': to Ann')).toBe(2);
  expect(sse.send(7, { data: ':to 7' })).toBe(1);
  expect(sse.send('nobody', ':to nobody')).toBe(0);
  expect(sse.sendAll(':to all')).toBe(3);
  for (const key of ['', Number.NaN, null, {}]) {
    expect(() => sse.send(key as string, ':x')).toThrow(expect.objectContaining({ code: 'INVALID_USER_ID' }));
  }
  for (const stream of [ann, other, seven]) await stream.until(({ comments }) => comments.includes('to all'));
  await sse.publish(7, ':published');
  await seven.until(({ comments }) => comments.includes('published'));
  expect(ann.comments).toEqual(['to Ann', 'to all']);
  expect(other.comments).toEqual(['to Ann', 'to all']);
  expect(seven.comments).toEqual(['to 7', 'to all', 'published']);
  sse.hub.close('ann');
  expect(sse.sendAll(':to who is left')).toBe(1);
});

it('takes what is no message for data itself, and a message’s own word for whether it is text', async () => {
  const sse = make();
  const ann = connect(sse, 'ann');
  const bare: EggMessage = Object.assign(Object.create(null), { data: 'bare', event: 'named' });
  for (const data of [[1, 2], new Date(0), 5, { data: '5', text: false }, bare]) sse.send('ann', given(data));
  const events = await ann.received(5);
  expect(events.map(({ data }) => data)).toEqual(['[1,2]', '"1970-01-01T00:00:00.000Z"', '5', '"5"', 'bare']);
});

it('does nothing that a message only resembles of what workers tell each other', async () => {
  const sse = make();
  const errors = collect(sse.hub, 'error');
  const ann = connect(sse, 'ann');
  const room = '@ssekify/egg';
  await sse.publish(room, { event: 'close', data: [] });
  await sse.publish(room, { event: 'comment', data: ['x'] });
  for (const words of ['ab', null, 5, { 0: 'a' }, [5], ['a', 5], ['a', null], []])
    await sse.hub.publishToRoom(room, words, { event: 'comment' });
  await sse.hub.publishToRoom(room, ['a'], { event: 'other' });
  await sse.publishAll('end');
  expect(await ann.received(1)).toMatchObject([{ data: 'end' }]);
  expect(ann.comments).toEqual([]);
  expect(errors).toEqual([]);
});

it('publishes from the agent, to which nothing comes back, without a word', async () => {
  vi.useFakeTimers();
  const sent: unknown[] = [];
  const messenger: EggMessenger = {
    sendToApp: (_action, data) => sent.push(data),
    on: () => undefined,
    off: () => undefined,
  };
  const sse = new EggSSE(undefined, messenger, true);
  atEnd(() => sse.hub.shutdown({ announce: false, graceMs: 0 }));
  const errors = collect(sse.hub, 'error');
  await sse.publish('ann', 'hello');
  await vi.advanceTimersByTimeAsync(60_000);
  expect(sent).toHaveLength(1);
  expect(errors).toEqual([]);
});
