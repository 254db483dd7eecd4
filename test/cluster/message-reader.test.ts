import { beforeAll, describe, expect, it } from 'vitest';
import { atEnd, forAll } from '../helpers/cleanup.js';
import { bulk, fedSubscriber, pushed, silentPort, type Version, versions } from './fed-subscriber.js';

let port: number;
beforeAll(() =>
  forAll(async () => {
    port = await silentPort();
  }),
);

async function subscribed(version: Version, setup: Parameters<typeof fedSubscriber>[2] = {}) {
  const fed = await fedSubscriber(version, port, setup);
  atEnd(fed.end);
  const done = fed.subscriber.subscribe('chan');
  fed.feed(Buffer.from(`${version.push}3\r\n${bulk('subscribe')}${bulk('chan')}:1\r\n`));
  await done;
  return fed;
}

const inPieces = (bytes: Buffer, size: number) =>
  Array.from({ length: Math.ceil(bytes.length / size) }, (_, n) => bytes.subarray(n * size, (n + 1) * size));

describe.each(versions)('messages of a subscriber of ioredis $version', (version) => {
  const { push, handshake } = version;
  const isV6 = handshake.length > 0;
  const message = (channel: string, text: string) => pushed(version, channel, text);
  const long = 'é€😀'.repeat(20);
  /** Part of an answer. */
  const looksLikeOne = `*3\r\n${bulk('message')}${bulk('chan')}${bulk('inner')}`;

  /** What the client is asked in the order of the answers. */
  const asked = ({ subscriber }: Awaited<ReturnType<typeof fedSubscriber>>): Promise<unknown>[] => [
    subscriber.subscribe('chan', 'other'),
    subscriber.ping(),
    subscriber.psubscribe('p*'),
    ...(isV6 ? ['a', 'b', 'c', 'd', 'e', 'f', 'g'].map((name) => subscriber.call(name)) : [subscriber.ping('x')]),
    subscriber.unsubscribe('chan'),
  ];
  const stream = Buffer.from(
    [
      `${push}3\r\n${bulk('subscribe')}${bulk('chan')}:1\r\n`,
      message('chan', 'first'),
      `${push}3\r\n${bulk('subscribe')}${bulk('other')}:2\r\n`,
      message('chan', ''),
      message('chan', long),
      isV6 ? '+PONG\r\n' : `*2\r\n${bulk('pong')}${bulk('')}`,
      message('other', '$5\r\nhello\r\n'),
      `${push}3\r\n${bulk('psubscribe')}${bulk('p*')}:3\r\n`,
      `${push}4\r\n${bulk('pmessage')}${bulk('p*')}${bulk('pm')}${bulk('by pattern')}`,
      message('chan', '{"a":1}'),
      ...(isV6
        ? [
            '-ERR unknown\r\n',
            `%2\r\n+a\r\n*2\r\n#t\r\n,1.5\r\n+b\r\n${looksLikeOne}`,
            message('chan', 'between'),
            '*3\r\n$-1\r\n*-1\r\n~2\r\n:-7\r\n(12345678901234567890\r\n',
            message('other', 'amid'),
            '_\r\n',
            '=7\r\ntxt:abc\r\n',
            '!9\r\nERR other\r\n',
            '*0\r\n',
          ]
        : [`*2\r\n${bulk('pong')}${looksLikeOne}`]),
      `${push}3\r\n${bulk('unsubscribe')}${bulk('chan')}:2\r\n`,
      message('other', 'last'),
    ].join(''),
  );
  const expected = [
    ['chan', 'first'],
    ['chan', ''],
    ['chan', long],
    ['other', '$5\r\nhello\r\n'],
    ['chan', '{"a":1}'],
    ...(isV6
      ? [
          ['chan', 'between'],
          ['other', 'amid'],
        ]
      : []),
    ['other', 'last'],
  ];

  /** What comes of the stream, cut into chunks in some way. */
  async function outcome(cut: (bytes: Buffer) => Buffer[]) {
    const fed = await fedSubscriber(version, port, { cut });
    const patterns: unknown[] = [];
    fed.subscriber.on('pmessage', (...args) => patterns.push(args));
    const answers = Promise.allSettled(asked(fed));
    fed.feed(...cut(stream));
    const result = { answers: await answers, patterns, messages: fed.messages, byClient: fed.byClient };
    await fed.end();
    return result;
  }

  it('arrive once, in order, wherever the stream is cut, and the client gets its answers', async () => {
    const whole = await outcome((bytes) => [bytes]);
    expect(whole.messages).toEqual(expected);
    expect(whole.patterns).toEqual([['p*', 'pm', 'by pattern']]);
    // The first of each channel.
    expect(whole.byClient).toBe(2);
    const settled = whole.answers.map((answer) =>
      answer.status === 'fulfilled' ? answer.value : answer.reason.message,
    );
    expect(settled).toEqual(
      isV6
        ? [
            ...[
              2,
              'PONG',
              3,
              'ERR unknown',
              ['a', [1, '1.5'], 'b', ['message', 'chan', 'inner']],
              [null, null, [-7, '12345678901234567890']],
            ],
            ...[null, 'abc', 'ERR other', [], 2],
          ]
        : [2, ['pong', ''], 3, ['pong', ['message', 'chan', 'inner']], 2],
    );
    for (let at = 1; at < stream.length; at += 1) {
      expect(await outcome((bytes) => [bytes.subarray(0, at), bytes.subarray(at)]), `cut at ${at}`).toEqual(whole);
    }
    for (const size of [1, 2, 3, 7, 50]) expect(await outcome((bytes) => inPieces(bytes, size))).toEqual(whole);
  });

  it('keep no answer waiting that ends there, wherever it is cut', async () => {
    const fed = await subscribed(version);
    const [ask, answer] = isV6
      ? [() => fed.subscriber.call('a'), Buffer.from('*0\r\n')]
      : [() => fed.subscriber.ping(), Buffer.from(`*2\r\n${bulk('pong')}${bulk('')}`)];
    let answers = 0;
    for (let at = 1; at < answer.length; at += 1) {
      void ask().then(() => {
        answers += 1;
      });
      fed.feed(answer.subarray(0, at), answer.subarray(at));
      await expect.poll(() => answers).toBe(at);
    }
  });

  it('are left to the client where they are long and come in pieces, and come in order', async () => {
    const fed = await subscribed(version);
    const texts = ['a', 'x'.repeat(200_000), 'b', 'é'.repeat(60_000), 'c', 'y'.repeat(70_000), 'd'];
    const bytes = Buffer.from(texts.map((text) => message('chan', text)).join(''));
    for (const size of [64, 1000, 65_536]) {
      fed.messages.length = 0;
      const before = fed.byClient;
      fed.feed(...inPieces(bytes, size));
      expect(fed.messages.map(([, text]) => text)).toEqual(texts);
      expect(fed.byClient - before, `in pieces of ${size}`).toBe(size === 64 ? 4 : 3);
    }
    fed.messages.length = 0;
    const before = fed.byClient;
    fed.feed(bytes);
    expect(fed.messages.map(([, text]) => text)).toEqual(texts);
    expect(fed.byClient).toBe(before);
  });

  it('of many channels are told apart', async () => {
    const fed = await subscribed(version);
    const sent = Array.from({ length: 200 }, (_, n): [string, string] => [`é:${n % 20 < 10 ? n % 3 : n % 40}`, `${n}`]);
    fed.feed(Buffer.from(sent.map(([channel, text]) => message(channel, text)).join('')));
    expect(fed.messages).toEqual(sent);
    expect(fed.byClient).toBeLessThan(120);
  });

  it('keep coming after bytes that are strange here and not to the client', async () => {
    const fed = await subscribed(version);
    fed.feed(Buffer.from(message('chan', 'a') + message('chan', 'b')));
    expect(fed.byClient).toBe(1);
    const pong = fed.subscriber.ping();
    const strange = Buffer.from(`${isV6 ? '+PONG\r\n' : `*00000000000002\r\n${bulk('pong')}${bulk('')}`}`);
    const odd = isV6 ? Buffer.from(`>000000000003\r\n${bulk('message')}${bulk('chan')}${bulk('c')}`) : Buffer.alloc(0);
    fed.feed(Buffer.concat([strange, odd, Buffer.from(message('chan', 'd'))]), Buffer.from(message('chan', 'e')));
    await pong;
    expect(fed.messages.map(([, text]) => text)).toEqual(isV6 ? ['a', 'b', 'c', 'd', 'e'] : ['a', 'b', 'd', 'e']);
    expect(fed.byClient).toBe(isV6 ? 4 : 3);
  });

  it('that no client understands end the connection, as they do without the adapter', async () => {
    const fed = await subscribed(version);
    const errors: string[] = [];
    fed.adapter.on('error', (error) => errors.push(String(error)));
    fed.feed(Buffer.from(`${message('chan', 'a')}${message('chan', 'b')}@\r\n`));
    expect(fed.messages).toHaveLength(2);
    await expect.poll(() => errors).toContainEqual(expect.stringMatching(/Protocol error|Unknown RESP type/));
  });

  it('are all the client’s while somebody else listens to its socket', async () => {
    const chunks: unknown[] = [];
    const fed = await subscribed(version, {
      onSocket: ({ stream: socket }) => socket.on('data', (chunk) => chunks.push(chunk)),
    });
    chunks.length = 0;
    const bytes = ['a', 'b', 'c'].map((text) => Buffer.from(message('chan', text)));
    fed.feed(...bytes);
    expect(fed.messages.map(([, text]) => text)).toEqual(['a', 'b', 'c']);
    expect(fed.byClient).toBe(3);
    expect(chunks).toEqual(bytes);
  });

  it('are all the client’s where its socket is in something else', async () => {
    let listened = 0;
    const fed = await subscribed(version, {
      onSocket: (client) => {
        const { stream: socket } = client;
        listened = socket.listenerCount('data');
        const wrapper = {
          emit: (name: string, chunk: Buffer) => socket.emit(name, chunk),
          write: () => true,
          writable: true,
        };
        const end = () => socket.destroy();
        Object.assign(client, { stream: { ...wrapper, end, destroy: end } });
      },
    });
    fed.feed(...['a', 'b'].map((text) => Buffer.from(message('chan', text))));
    expect(fed.messages).toHaveLength(2);
    expect([fed.byClient, listened]).toEqual([2, 1]);
  });

  it('are all the client’s where it reads something else in the first', async () => {
    const fed = await subscribed(version, {
      onSocket: (client) => {
        const { emit } = client;
        const changed = (name: string, ...args: unknown[]) =>
          Reflect.apply(emit, client, name === 'message' ? [name, args[0], `${args[1]}!`] : [name, ...args]);
        Object.assign(client, { emit: changed });
      },
    });
    fed.feed(Buffer.from(message('chan', 'a') + message('chan', 'b')), Buffer.from(message('chan', 'c')));
    expect(fed.messages.map(([, text]) => text)).toEqual(['a!', 'b!', 'c!']);
    expect(fed.byClient).toBe(3);
  });

  it('leave the client’s time limit for its socket to it', async () => {
    const fed = await fedSubscriber(version, port, { options: { socketTimeout: 60_000 } });
    atEnd(fed.end);
    const waiting = () => fed.subscriber.stream.listenerCount('data') - 1;
    // It was asked before the adapter took the socket.
    expect(waiting()).toBe(0);
    const done = fed.subscriber.subscribe('chan');
    fed.feed(Buffer.from(`${push}3\r\n${bulk('subscribe')}${bulk('chan')}:1\r\n${message('chan', 'a')}`));
    await done;
    const pong = fed.subscriber.ping();
    expect(waiting()).toBe(1);
    fed.feed(Buffer.from(message('chan', 'b')));
    expect(waiting()).toBe(1);
    fed.feed(Buffer.from(isV6 ? '+PONG\r\n' : `*2\r\n${bulk('pong')}${bulk('')}`));
    await pong;
    expect(waiting()).toBe(0);
    fed.feed(Buffer.from(message('chan', 'c')));
    expect(fed.messages).toHaveLength(3);
    expect(fed.byClient).toBe(1);
  });
});

describe.each(versions)('a listener that throws, with ioredis $version', (version) => {
  it('keeps no other message from coming, and what it throws is not lost', async () => {
    const fed = await subscribed(version);
    const thrown: string[] = [];
    const ours = (error: Error) => thrown.push(error.message);
    const others = process.listeners('uncaughtException');
    process.removeAllListeners('uncaughtException').on('uncaughtException', ours);
    atEnd(() => {
      process.removeAllListeners('uncaughtException');
      for (const other of others) process.on('uncaughtException', other);
    });
    fed.adapter.on('message', (_, text) => {
      throw new Error(`cannot take ${text}`);
    });
    // The client of version 5 goes on only with the next chunk.
    fed.feed(...['a', 'b'].map((text) => Buffer.from(pushed(version, 'chan', text))));
    const more = Buffer.from(['c', 'd', 'e'].map((text) => pushed(version, 'chan', text)).join(''));
    fed.feed(...inPieces(more, 20));
    expect(fed.messages.map(([, text]) => text)).toEqual(['a', 'b', 'c', 'd', 'e']);
    await expect.poll(() => thrown).toEqual(['a', 'b', 'c', 'd', 'e'].map((text) => `cannot take ${text}`));
  });
});
