import fc from 'fast-check';
import { expect, it } from 'vitest';
import { type SendOptions, SSEKifyError } from '../../src/index.js';
import { openBytes, type Parsed, parseInPieces } from '../helpers/bytes.js';
import { collect } from '../helpers/emitted.js';
import { serveHub, type TestHub } from '../helpers/server.js';

const HOSTILE = [
  ...[
    '\r',
    '\n',
    '\r\n',
    '\0',
    ':',
    ' ',
    '  ',
    '\t',
    '\v',
    '\uFEFF',
    '\uD800',
    '\uDC00',
    '\uDBFF',
    '😀',
    'é',
    '\u2028',
  ],
  ...[
    '\u2029',
    '\u0085',
    '\u00A0',
    '\u007F',
    'data',
    'data:',
    'id: 1',
    'event: x',
    'retry: 5',
    ': ',
    '\n\n',
    '\n\ndata: forged\n\n',
  ],
  ...['\nid: forged\n', '\r\rdata: forged', '"', '\\', '{', '}', '__proto__', '0', 'a', 'z'.repeat(9000)],
];

const hostileText = fc.oneof(
  { weight: 4, arbitrary: fc.array(fc.constantFrom(...HOSTILE), { maxLength: 6 }).map((parts) => parts.join('')) },
  { weight: 1, arbitrary: fc.string({ unit: 'binary', maxLength: 40 }) },
);
const tameText = fc.stringMatching(/^[a-z0-9][a-z0-9 :é😀-]{0,20}[a-z0-9]$/u);
const id = fc.oneof(
  fc.constant(undefined),
  tameText,
  hostileText,
  fc.integer(),
  fc.double(),
  fc.constantFrom('', 0, -0),
);
const event = fc.oneof(fc.constant(undefined), tameText, hostileText);
const retry = fc.oneof({ weight: 3, arbitrary: fc.constant(undefined) }, { weight: 1, arbitrary: fc.nat() });
const payload = fc.oneof(
  fc.record({ text: fc.constant(true), data: hostileText }),
  fc.record({ text: fc.constant(false), data: fc.jsonValue() }),
  fc.record({ text: fc.constant(false), data: hostileText }),
  fc.record({ text: fc.constant(false), data: fc.dictionary(hostileText, hostileText, { maxKeys: 3 }) }),
);
const sends = fc.array(fc.record({ id, event, retry, payload }), { minLength: 1, maxLength: 5 });
const pieces = fc.array(fc.integer({ min: 1, max: 40 }), { minLength: 1, maxLength: 20 });

const asRead = (text: string) => text.replace(/\r\n|\r/g, '\n').toWellFormed();

/** Sends, and gives what a client has to read of it; nothing when the call is refused. */
function send({ sse }: TestHub, data: unknown, options: SendOptions) {
  try {
    expect(sse.sendToUser('ann', data, options)).toBe(1);
  } catch (error) {
    if (!(error instanceof SSEKifyError)) throw error;
    expect(error.code).toMatch(/^INVALID_(ID|EVENT)$/);
    return [];
  }
  const text = options.text === true ? String(data) : JSON.stringify(data);
  return [
    {
      id: options.id === undefined ? undefined : String(options.id).toWellFormed(),
      event: options.event === undefined || options.event === '' ? undefined : options.event.toWellFormed(),
      data: asRead(text),
    },
  ];
}

it('gives any data, event and id back exactly, however the bytes are cut, or refuses the call before it sends', async () => {
  const hub = await serveHub({
    hub: { autoFields: { timestamp: false }, enableSeq: false, seq: { frameIdPolicy: 'none' } },
    register: { maxQueueBytes: 2 ** 30 },
  });
  const errors = collect(hub.sse, 'error');
  const client = await openBytes(`${hub.url}/ann`);
  const handle = await hub.handle(0);
  await client.upTo('\n\n');
  let run = 0;
  let refused = 0;
  await fc.assert(
    fc.asyncProperty(sends, pieces, async (all, sizes) => {
      run += 1;
      const expected: Parsed = { events: [], comments: [`end-${run}`], retries: [], problems: [] };
      for (const { id, event, retry, payload } of all) {
        const options = { id, event, retry, text: payload.text };
        const events = send(hub, payload.data, options);
        refused += 1 - events.length;
        expected.events.push(...events);
        if (events.length > 0 && retry !== undefined) expected.retries.push(retry);
      }
      handle.comment(`end-${run}`);
      const bytes = await client.upTo(`: end-${run}\n\n`);
      expect(parseInPieces(bytes, sizes)).toEqual(expected);
    }),
    { numRuns: 400, seed: 20_240_501, endOnFailure: true },
  );
  expect(refused).toBeGreaterThan(50);
  expect(errors).toEqual([]);
}, 60_000);

it('breaks data into lines at CR, LF and CRLF, which arrive as LF', async () => {
  const { sse, url, handle } = await serveHub();
  const client = await openBytes(`${url}/ann`);
  await handle(0);
  sse.sendToUser('ann', 'a\rb\nc\r\nd\n\re\r\n\r\nf\n', { text: true, id: '1', event: 'lines' });
  const bytes = await client.upTo('data: f\ndata: \n\n');
  expect(bytes.includes('\r')).toBe(false);
  expect(parseInPieces(bytes, [1]).events).toEqual([{ id: '1', event: 'lines', data: 'a\nb\nc\nd\n\ne\n\nf\n' }]);
});

it('never writes invalid UTF-8 for a lone surrogate in data, event or id', async () => {
  const { sse, url, handle } = await serveHub();
  const client = await openBytes(`${url}/ann`);
  await handle(0);
  sse.sendToUser('ann', 'x\uD800', { text: true, event: '\uDC00e', id: 'i\uDBFF' });
  const bytes = await client.upTo('data: x\uFFFD\n\n');
  expect(parseInPieces(bytes, [1]).events).toEqual([{ id: 'i\uFFFD', event: '\uFFFDe', data: 'x\uFFFD' }]);
});

it('keeps the lines of a comment comments', async () => {
  const { url, handle } = await serveHub();
  const client = await openBytes(`${url}/ann`);
  (await handle(0)).comment('a\ndata: forged\r\rid: forged\r\n\0\uD800');
  const { events, comments } = parseInPieces(await client.upTo('\uFFFD\n\n'), [3]);
  expect(events).toEqual([]);
  expect(comments).toEqual(['a', 'data: forged', '', 'id: forged', '\0\uFFFD']);
});

it('sends a payload of a megabyte in many lines whole', async () => {
  const { sse, url, handle } = await serveHub();
  const client = await openBytes(`${url}/ann`);
  await handle(0);
  const text = `${'ü\n'.repeat(300_000)}end`;
  expect(sse.sendToUser('ann', text, { text: true })).toBe(1);
  const [event] = parseInPieces(await client.upTo('data: end\n\n'), [65_537]).events;
  expect(event?.data === text).toBe(true);
});
