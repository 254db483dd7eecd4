import { expect, it } from 'vitest';
import { SSEKifyError } from '../../src/index.js';
import { openStream } from '../helpers/client.js';
import { serveHub } from '../helpers/server.js';

const BAD: [what: string, options: unknown, code: string, data?: unknown][] = [
  ...[
    'a\nb',
    'a\r',
    '\0',
    '\u0001',
    'a\tb',
    '\u001b',
    '\u007f',
    '\u0085',
    ' a',
    'a ',
    '\u00a0a',
    'a\u3000',
    '\ufeffa',
    'a\u2028',
  ].map((id): [string, unknown, string] => [`the id ${JSON.stringify(id)}`, { id }, 'INVALID_ID']),
  ['an id of 1025 bytes', { id: 'x'.repeat(1025) }, 'INVALID_ID'],
  ['an id of 1026 bytes in 513 characters', { id: 'é'.repeat(513) }, 'INVALID_ID'],
  ['the id NaN', { id: Number.NaN }, 'INVALID_ID'],
  ['the id Infinity', { id: Number.POSITIVE_INFINITY }, 'INVALID_ID'],
  ['the id null', { id: null }, 'INVALID_ID'],
  ['the id {}', { id: {} }, 'INVALID_ID'],
  ['the id true', { id: true }, 'INVALID_ID'],
  ['the id 1n', { id: 1n }, 'INVALID_ID'],
  ...['a\nb', 'a\r', '\r\n', 'a\0'].map((event): [string, unknown, string] => [
    `the event ${JSON.stringify(event)}`,
    { event },
    'INVALID_EVENT',
  ]),
  ['the event null', { event: null }, 'INVALID_EVENT'],
  ['the event 1', { event: 1 }, 'INVALID_EVENT'],
  ['the event Symbol()', { event: Symbol('e') }, 'INVALID_EVENT'],
  ['a negative retry', { retry: -1 }, 'INVALID_RETRY'],
  ['a fractional retry', { retry: 0.5 }, 'INVALID_RETRY'],
  ['the retry NaN', { retry: Number.NaN }, 'INVALID_RETRY'],
  ['a retry above 2^31-1', { retry: 2 ** 31 }, 'INVALID_RETRY'],
  ['a retry as text', { retry: '5\ndata: x' }, 'INVALID_RETRY'],
  ['the retry null', { retry: null }, 'INVALID_RETRY'],
  ['text with data that is an object', { text: true }, 'INVALID_TEXT', {}],
  ['text with data that is undefined', { text: true }, 'INVALID_TEXT', undefined],
  ['text with data that is a String object', { text: true }, 'INVALID_TEXT', new String('x')],
  ['text that is no boolean', { text: 'yes' }, 'INVALID_OPTION', 'x'],
  ['an option that does not exist', { evnt: 'x' }, 'INVALID_OPTION'],
  ['options that are null', null, 'INVALID_OPTION'],
  ['options that are a string', 'event', 'INVALID_OPTION'],
  ['options that are an array', ['event'], 'INVALID_OPTION'],
];

it.each(BAD)('refuses %s before anything is sent, in every call', async (_what, options, code, data = { a: 1 }) => {
  const { sse, url, handle } = await serveHub();
  const client = await openStream(`${url}/ann?rooms=news`);
  const ann = await handle(0);
  const given = options as object;
  const calls = [
    () => sse.sendToUser('ann', data, given),
    () => sse.sendToAll(data, given),
    () => sse.sendToRoom('news', data, given),
    () => ann.send(data, given),
  ];
  for (const call of calls) {
    expect(call).toThrow(SSEKifyError);
    expect(call).toThrow(expect.objectContaining({ code }));
  }
  sse.on('error', () => undefined);
  const publishes = [
    () => sse.publish(data, 'ann', given),
    () => sse.publishToUser('ann', data, given),
    () => sse.publishToAll(data, given),
    () => sse.publishToRoom('news', data, given),
  ];
  for (const publish of publishes) await expect(publish()).rejects.toMatchObject({ code });
  sse.sendToUser('ann', 'last', { text: true, event: 'last' });
  await client.event('last');
  expect(client.events).toHaveLength(1);
});

it('takes an id of exactly 1024 bytes, and inner white space', async () => {
  const { sse, url, handle } = await serveHub();
  const client = await openStream(`${url}/ann`);
  await handle(0);
  const ids = ['é'.repeat(512), 'a b: c=d', '*', '__proto__', 'constructor', '😀', 'a\u2028b'];
  for (const id of ids) expect(sse.sendToUser('ann', 1, { id })).toBe(1);
  expect((await client.received(ids.length)).map(({ id }) => id)).toEqual(ids);
});

it('takes a finite number as its decimal text, 0 included', async () => {
  const { sse, url, handle } = await serveHub();
  const client = await openStream(`${url}/ann`);
  await handle(0);
  for (const id of [0, -0, 42, -1, 1.5]) sse.sendToUser('ann', 1, { id });
  expect((await client.received(5)).map(({ id }) => id)).toEqual(['0', '0', '42', '-1', '1.5']);
  expect(client.raw).toContain('id: 0\n');
});

it('sends an empty id, which resets the last id of the client', async () => {
  const { sse, url, handle } = await serveHub();
  const client = await openStream(`${url}/ann`);
  await handle(0);
  sse.sendToUser('ann', 1, { id: 'one' });
  sse.sendToUser('ann', 2, { id: '' });
  const [, second] = await client.received(2);
  expect(second).toEqual({ id: '', event: undefined, data: '2' });
  expect(client.lastEventId).toBe('');
});

it('sends an empty event name as a message', async () => {
  const { sse, url, handle } = await serveHub();
  const client = await openStream(`${url}/ann`);
  await handle(0);
  sse.sendToUser('ann', 1, { event: '' });
  expect((await client.received(1))[0]?.event).toBeUndefined();
});
