import { once } from 'node:events';
import http2 from 'node:http2';
import type { AddressInfo } from 'node:net';
import { expect, it } from 'vitest';
import { SSEKify } from '../../src/index.js';
import { atEnd } from '../helpers/cleanup.js';
import { collect, next } from '../helpers/emitted.js';
import { connectHttp2, openHttp2, serveHttp2Hub } from '../helpers/http2.js';
import { endWithTest } from '../helpers/server.js';

const NOBODY = { connections: 0, users: 0, rooms: 0 };

it.each([http2.constants.NGHTTP2_CANCEL, http2.constants.NGHTTP2_NO_ERROR, http2.constants.NGHTTP2_INTERNAL_ERROR])(
  'is cleaned up when an HTTP/2 client resets its stream (code %d)',
  async (code) => {
    const { url, sse } = await serveHttp2Hub();
    const client = await openHttp2(url, '/ann?rooms=a');
    const all = collect(sse, 'disconnect');
    const left = next(sse, 'disconnect');
    client.stream.close(code);
    expect(await left).toMatchObject({ userId: 'ann', reason: 'client' });
    expect(sse.stats()).toMatchObject(NOBODY);
    expect(all).toHaveLength(1);
  },
);

it('is cleaned up when an HTTP/2 client resets a stream that it does not read', async () => {
  const { url, sse, handle } = await serveHttp2Hub();
  const client = await openHttp2(url, '/ann', { paused: true });
  for (let n = 0; n < 200; n += 1) (await handle(0)).send('x'.repeat(100_000), { text: true });
  await new Promise((resolve) => setImmediate(resolve));
  const left = next(sse, 'disconnect');
  client.stream.close(http2.constants.NGHTTP2_CANCEL);
  expect(await left).toMatchObject({ reason: 'client' });
  expect(sse.stats()).toMatchObject(NOBODY);
});

it.each([
  ['is destroyed', false],
  ['is destroyed, over TLS', true],
])('cleans up all streams of an HTTP/2 session that %s', async (_how, tls) => {
  const { url, sse } = await serveHttp2Hub({ tls });
  const ann = await openHttp2(url, '/ann?rooms=a');
  await openHttp2(url, '/bob?rooms=a', ann);
  const all = collect(sse, 'disconnect');
  const both = new Promise<void>((resolve) => sse.on('disconnect', () => all.length === 2 && resolve()));
  ann.session.destroy();
  await both;
  expect(all.map(({ reason }) => reason)).toEqual(['client', 'client']);
  expect(sse.stats()).toMatchObject(NOBODY);
});

it('ends an HTTP/2 stream cleanly, after the frames it accepted', async () => {
  const { url, sse, handle } = await serveHttp2Hub();
  const client = await openHttp2(url, '/ann');
  const all = collect(sse, 'disconnect');
  (await handle(0)).send('last');
  (await handle(0)).close();
  await client.over;
  expect(client.ended).toBe(true);
  expect(client.events.map(({ data }) => data)).toEqual(['"last"']);
  expect(client.stream.rstCode).toBe(0);
  expect(all).toMatchObject([{ reason: 'server' }]);
});

it.each([
  ['has reset its stream', (stream: http2.ClientHttp2Stream) => stream.close(http2.constants.NGHTTP2_CANCEL)],
  ['has destroyed its session', (stream: http2.ClientHttp2Stream) => stream.session?.destroy()],
])('refuses an HTTP/2 client that %s before it was registered', async (_how, leave) => {
  const sse = new SSEKify();
  endWithTest(sse);
  const server = http2.createServer();
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  atEnd(() => new Promise((resolve) => server.close(resolve)));
  const requested = once(server, 'request');
  const { port } = server.address() as AddressInfo;
  const stream = connectHttp2(`http://127.0.0.1:${port}`).request({ ':path': '/' });
  stream.on('error', () => undefined);
  const [, res]: http2.Http2ServerResponse[] = await requested;
  if (res === undefined) throw new Error('no response');
  const closed = once(res.stream, 'close');
  leave(stream);
  await closed;
  expect(sse.registerConnection('ann', res)).toMatchObject({ closed: true, refused: 'gone' });
  expect(sse.stats()).toMatchObject({ ...NOBODY, refused: { gone: 1 } });
});
