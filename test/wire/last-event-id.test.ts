import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { SSEKify } from '../../src/index.js';
import { atEnd } from '../helpers/cleanup.js';
import { openStream } from '../helpers/client.js';
import { serve, serveHub } from '../helpers/server.js';

it('reads the header as UTF-8', async () => {
  const { url, handle } = await serveHub();
  await openStream(`${url}/ann`, { lastEventId: 'é-😀-日本' });
  expect((await handle(0)).lastEventId).toBe('é-😀-日本');
});

it('reads the header as UTF-8 on HTTP/2', async () => {
  const sse = new SSEKify();
  const server = http2.createServer();
  const seen = new Promise<string | undefined>((resolve) => {
    server.on('request', (_req, res) => resolve(sse.registerConnection('ann', res).lastEventId));
  });
  await new Promise<void>((resolve) => server.listen(0, '127.0.0.1', resolve));
  const client = http2.connect(`http://127.0.0.1:${(server.address() as AddressInfo).port}`);
  atEnd(() => new Promise<void>((resolve) => server.close(() => resolve())));
  atEnd(() => client.destroy());
  atEnd(() => sse.shutdown({ announce: false, graceMs: 0 }));
  client.request({ ':path': '/', 'last-event-id': Buffer.from('é-😀').toString('latin1') }).resume();
  expect(await seen).toBe('é-😀');
});

const QUERIES: [query: string, id: string | undefined][] = [
  ['lastEventId=a', 'a'],
  ['last-event-id=a', 'a'],
  ['Last-Event-ID=a', 'a'],
  ['x=1&lastEventId=a&y=2', 'a'],
  ['lastEventId=%C3%A9%20%F0%9F%98%80', 'é 😀'],
  ['lastEventId=a+b', 'a+b'],
  ['lastEventId=a%2Bb', 'a+b'],
  ['lastEventId=%2520', '%20'],
  ['lastEventId=a=b', 'a=b'],
  ['lastEventId=%', '%'],
  ['lastEventId=%zz%41', '%zz%41'],
  ['lastEventId=%C3', '%C3'],
  ['lastEventId=', undefined],
  ['lastEventId', undefined],
  ['last%2Devent%2Did=a', 'a'],
  ['lastEventIds', undefined],
  ['lastEventId=&lastEventId=a', 'a'],
  ['LASTEVENTID=a', undefined],
  ['=a&&&=&?=', undefined],
  ['%=1&%zz=2&lastEventId=a', 'a'],
  ['__proto__=1&constructor=2', undefined],
];

it.each(QUERIES)('reads from the query %s the id %s', async (query, id) => {
  const { url, handle } = await serveHub();
  await openStream(`${url}/ann?${query}`);
  expect((await handle(0)).lastEventId).toBe(id);
});

it('prefers the option over the header, and the header over the query', async () => {
  const both = await serveHub();
  await openStream(`${both.url}/ann?lastEventId=query`, { lastEventId: 'header' });
  expect((await both.handle(0)).lastEventId).toBe('header');
  const all = await serveHub({ register: { lastEventId: 'option' } });
  await openStream(`${all.url}/ann?lastEventId=query`, { lastEventId: 'header' });
  expect((await all.handle(0)).lastEventId).toBe('option');
});

it('takes the option 0 as the id 0, and an empty one as no position whatever the request says', async () => {
  const zero = await serveHub({ register: { lastEventId: 0 } });
  await openStream(`${zero.url}/ann`, { lastEventId: 'header' });
  expect((await zero.handle(0)).lastEventId).toBe('0');
  const none = await serveHub({ register: { lastEventId: '' } });
  const client = await openStream(`${none.url}/ann`, { lastEventId: 'header' });
  expect((await none.handle(0)).lastEventId).toBeUndefined();
  none.sse.sendToUser('ann', 'first', { text: true });
  expect((await client.received(1))[0]?.data).toBe('first');
});

it('registers a request whatever its URL is', async () => {
  const targets: unknown[] = [
    ...[
      '',
      '?',
      '??',
      '#',
      '?#',
      '/%?lastEventId=a',
      'http://[::1/?lastEventId=a',
      '//..//?lastEventId=a#lastEventId=b',
    ],
    ...[`/?${'a=1&'.repeat(100_000)}`, '/\xff\xfe?lastEventId=\xff', '/?lastEventId=\uD800', '/?%E0%A4%A=%E0%A4%A'],
    ...[undefined, null, 5, {}, new URL('http://localhost/?lastEventId=a')],
  ];
  const sse = new SSEKify();
  atEnd(() => sse.shutdown({ announce: false, graceMs: 0 }));
  const { url } = await serve((req, res) => {
    // Layers in front of a handler rewrite the URL, to all kinds of things.
    Reflect.set(req, 'url', targets[Number(req.url?.slice(1))]);
    sse.registerConnection('ann', res);
  });
  for (const index of targets.keys()) {
    const client = await openStream(`${url}/${index}`);
    await client.until(({ retries }) => retries.length > 0);
  }
  expect(sse.getUserConnectionCount('ann')).toBe(targets.length);
});

it('takes bytes in the header that are no UTF-8 as an unknown id', async () => {
  const { sse, url, handle } = await serveHub();
  const gaps: string[] = [];
  sse.on('gap', ({ reason }) => gaps.push(reason));
  const client = await openStream(`${url}/ann`, { headers: { 'Last-Event-ID': '\xff\xfe\x80' } });
  await handle(0);
  await client.event('server:gap');
  expect(gaps).toEqual(['unknown']);
});
