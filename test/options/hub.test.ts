import { expect, it } from 'vitest';
import { SSEKify, SSEKifyError } from '../../src/index.js';

/** What the constructor, given anything at all, throws. */
function refusalOf(options: unknown): SSEKifyError | undefined {
  try {
    new SSEKify(options as object);
    return undefined;
  } catch (error) {
    if (error instanceof SSEKifyError) return error;
    throw error;
  }
}

const TIMERS = ['keepAliveMs', 'retryMs', 'recentTTLMs'];
const COUNTS = ['recentBufferSize', 'recentMaxUsers', 'recentMaxBytes', 'maxPayloadBytes'];
const LIMITS = ['maxConnections', 'maxConnectionsPerUser'];
const NO_INTEGER = [
  -1,
  0.5,
  Number.NaN,
  Number.POSITIVE_INFINITY,
  '5',
  null,
  true,
  5n,
  [],
  {},
  () => 5,
  new Date(),
  Symbol('s'),
];
const NO_FLAG = [0, 1, 'true', null, {}];
const NO_TEXT = ['', 5, null, true, {}, ['x']];
const NO_FUNCTION = ['x', 5, null, true, {}];
const NO_OBJECT = [null, 5, 'x', true, [], () => 5];

/** Path of an option to values it must not have. */
const WRONG: Record<string, unknown[]> = {
  ...Object.fromEntries(TIMERS.map((name) => [name, [...NO_INTEGER, 2 ** 31]])),
  ...Object.fromEntries(COUNTS.map((name) => [name, [...NO_INTEGER, 2 ** 53]])),
  ...Object.fromEntries(LIMITS.map((name) => [name, [...NO_INTEGER, 0]])),
  redis: [5, true, {}, 'localhost', 'http://localhost', 'redis://localhost:undefined'],
  channel: NO_TEXT,
  serializer: NO_FUNCTION,
  enableSeq: NO_FLAG,
  gapEvent: [...NO_TEXT, 'a\nb', 'a\rb', 'a\0b'],
  keepAliveEvent: [...NO_OBJECT, {}],
  'keepAliveEvent.event': [...NO_TEXT, 'a\nb', undefined],
  'keepAliveEvent.extra': [1],
  connection: NO_OBJECT,
  'connection.unknown': [1, 'x'],
  'connection.lastEventId': ['x'],
  'connection.signal': [new AbortController().signal],
  ...Object.fromEntries(
    ['keepAliveMs', 'retryMs', 'stallTimeoutMs'].map((name) => [`connection.${name}`, [...NO_INTEGER, 2 ** 31]]),
  ),
  'connection.maxLifetimeMs': [...NO_INTEGER, 0, 2 ** 31],
  'connection.maxQueueItems': NO_INTEGER,
  'connection.maxQueueBytes': NO_INTEGER,
  'connection.dropPolicy': ['none', '', 5, null, 'OLDEST'],
  'connection.keepAliveEvent': NO_OBJECT,
  'connection.rooms': ['room', 5, null, {}, new Set(['a'])],
  'connection.headers': [null, 5, 'x', [], new Map([['x', 'y']]), new Headers({ x: 'y' })],
  autoFields: NO_OBJECT,
  'autoFields.unknown': [1],
  'autoFields.timestamp': [true, 'ISO', 'epoch', 0, null],
  'autoFields.traceId': NO_OBJECT,
  'autoFields.traceId.mode': ['require', 'always', true, null],
  'autoFields.traceId.getter': NO_FUNCTION,
  'autoFields.traceId.fieldName': NO_TEXT,
  'autoFields.requestId.mode': ['always', true, null],
  'autoFields.requestId.getter': NO_FUNCTION,
  'autoFields.requestId.fieldName': NO_TEXT,
  'autoFields.requestId.unknown': [1],
  seq: NO_OBJECT,
  'seq.unknown': [1],
  'seq.startAt': [2, -1, '0', true, null],
  'seq.fieldName': NO_TEXT,
  'seq.keyExtractor': NO_FUNCTION,
  'seq.finalPredicate': NO_FUNCTION,
  'seq.frameIdPolicy': ['uuid', '', 5, null, true, {}],
  'seq.redisKeyPrefix': NO_TEXT,
  'seq.redisTTLSeconds': [...NO_INTEGER, 0],
  'seq.nodeId': [...NO_INTEGER, 1024],
  unknown: [1, 'x', null, false],
  keepaliveMs: [5],
  '': [1],
  constructor: [1],
};

/** Puts a value at the end of a path, beside what else the objects on the way need. */
function nested(path: string, value: unknown): object {
  const [name = '', ...rest] = path.split('.');
  const inner = rest.length === 0 ? value : nested(rest.join('.'), value);
  const needed = name === 'keepAliveEvent' && rest.length > 0 ? { event: 'ping', data: 1, ...Object(inner) } : inner;
  return { [name]: needed };
}

const shown = (value: unknown) => {
  if (typeof value === 'string') return JSON.stringify(value);
  if (Array.isArray(value)) return 'an array';
  if (typeof value === 'object' && value !== null) return 'an object';
  if (typeof value === 'function') return 'a function';
  return typeof value === 'symbol' ? 'a symbol' : String(value);
};

it.each(Object.entries(WRONG))(
  'refuses wrong values of %s, naming it, the value and what is allowed',
  (path, values) => {
    for (const value of values) {
      const refusal = refusalOf(nested(path, value));
      expect(refusal, shown(value)).toBeInstanceOf(SSEKifyError);
      expect(refusal).toMatchObject({ code: 'INVALID_OPTION', name: 'SSEKifyError' });
      expect(refusal?.message).toContain(path.split('.').at(-1));
      if (!Object.is(value, undefined) && path !== 'keepAliveEvent') expect(refusal?.message).toContain(shown(value));
      expect(refusal?.message).toMatch(/expected \S/);
    }
  },
);

it('names each kind of value that an option of several kinds takes', () => {
  expect(refusalOf({ roomOptions: 5 })?.message).toBe('options.roomOptions is 5: expected an object or a function.');
});

it('names the way to a nested option', () => {
  expect(refusalOf({ connection: { retryMs: -1 } })?.message).toContain('options.connection.retryMs is -1');
  expect(refusalOf({ autoFields: { traceId: { mode: 'x' } } })?.message).toContain('options.autoFields.traceId.mode');
  expect(refusalOf({ seq: { startat: 1 } })?.message).toMatch(/options\.seq\["startat"\] is 1.*startAt/);
});

it.each(NO_OBJECT.slice(0))('refuses options that are %s', (options) => {
  expect(refusalOf(options)).toMatchObject({ code: 'INVALID_OPTION' });
});

it('refuses rooms and headers of every connection at construction, saying which', () => {
  expect(refusalOf({ connection: { rooms: ['a', ''] } })).toMatchObject({
    code: 'INVALID_ROOM',
    message: expect.stringContaining('options.connection.rooms[1] is ""'),
  });
  expect(refusalOf({ connection: { rooms: new Array(1) } })).toMatchObject({ code: 'INVALID_ROOM' });
  for (const [headers, found] of [
    [{ 'bad name': 'x' }, '["bad name"] is "x"'],
    [{ '': 'x' }, '[""] is "x"'],
    [{ x: 'a\r\nb: c' }, '["x"] is "a\\r\\nb: c"'],
    [{ x: '☃' }, '["x"] is "☃"'],
    [{ x: null }, '["x"] is null'],
    [{ x: [1] }, '["x"] is an array'],
  ] as const) {
    const message = `options.connection.headers${found}: expected a legal name, and a string, number or array of strings.`;
    expect(refusalOf({ connection: { headers } })).toMatchObject({ code: 'INVALID_HEADER', message });
  }
});

it('refuses a heartbeat that cannot be serialized', () => {
  expect(refusalOf({ keepAliveEvent: { event: 'ping', data: 1n } })).toMatchObject({ code: 'NOT_SERIALIZABLE' });
  expect(refusalOf({ connection: { keepAliveEvent: { event: 'ping', data: undefined } } })).toMatchObject({
    code: 'NOT_SERIALIZABLE',
  });
});

it('takes the bounds of what is allowed', () => {
  const most = 2 ** 31 - 1;
  for (const options of [
    undefined,
    {},
    { redis: null },
    { redis: false },
    { redis: '' },
    {
      keepAliveMs: 0,
      retryMs: 0,
      recentTTLMs: 0,
      recentBufferSize: 0,
      recentMaxUsers: 0,
      recentMaxBytes: 0,
      maxPayloadBytes: 0,
    },
    { keepAliveMs: most, retryMs: most, recentTTLMs: most, recentMaxBytes: Number.MAX_SAFE_INTEGER },
    { maxConnections: 1, maxConnectionsPerUser: 1, gapEvent: false, enableSeq: false, serializer: () => '' },
    {
      connection: {
        maxQueueItems: 0,
        maxQueueBytes: 0,
        stallTimeoutMs: 0,
        maxLifetimeMs: 1,
        keepAliveMs: 0,
        retryMs: 0,
      },
    },
    {
      connection: { rooms: ['a', 5], headers: { 'X-A': 'b', 'x-c': 5, 'X-D': ['a', 'b'], 'Cache-Control': undefined } },
    },
    { seq: { startAt: 0, nodeId: 0, frameIdPolicy: () => '', redis: null, redisKeyPrefix: 'x', redisTTLSeconds: 1 } },
    { seq: { startAt: 1, nodeId: 1023, frameIdPolicy: 'none' } },
    { autoFields: { timestamp: false, traceId: { mode: 'off' }, requestId: { mode: 'require', getter: () => 1 } } },
    { keepAliveEvent: { event: 'ping', data: null } },
  ]) {
    expect(refusalOf(options)).toBeUndefined();
  }
});

it('takes undefined as the default, everywhere', () => {
  const inner = (names: string[]) => Object.fromEntries(names.map((name) => [name, undefined]));
  const paths = Object.keys(WRONG).filter(
    (path) => !/unknown|extra|keepaliveMs|constructor|lastEventId|signal|^$/.test(path),
  );
  const top = inner(paths.filter((path) => !path.includes('.')));
  expect(refusalOf(top)).toBeUndefined();
  const below = (name: string) =>
    inner(
      paths.filter((path) => new RegExp(`^${name}\\.[^.]+$`).test(path)).map((path) => path.slice(name.length + 1)),
    );
  expect(
    refusalOf({
      connection: below('connection'),
      seq: below('seq'),
      autoFields: {
        ...below('autoFields'),
        traceId: below('autoFields.traceId'),
        requestId: below('autoFields.requestId'),
      },
    }),
  ).toBeUndefined();
});

it('shows no password of a Redis URL that it refuses', () => {
  const secret = 's3cret'.repeat(20);
  for (const url of [
    `redis://app:${secret}@host:undefined`,
    `redis://:${secret}#@/@host`,
    `http://${secret}@host`,
    `app:${secret}@host:6379`,
  ]) {
    expect(refusalOf({ redis: url })?.message).toMatch(/^options\.redis is "[a-z]+:…@host/);
  }
});
