import type { ServerResponse } from 'node:http';
import { expect, it } from 'vitest';
import { SSEKifyError } from '../../src/index.js';
import { openStream } from '../helpers/client.js';
import { connectRaw, wireResponses } from '../helpers/raw-client.js';
import { serve, serveHub } from '../helpers/server.js';

const headOf = (text: string) => text.slice(0, text.indexOf('\r\n\r\n')).toLowerCase().split('\r\n');

it('sends the head of an event stream and the reconnection time at once', async () => {
  const { port } = await serveHub();
  const client = await connectRaw(port);
  client.get('/ann');
  await client.until((text) => text.includes('retry: 2000\n\n'));
  const head = headOf(client.text);
  expect(head[0]).toBe('http/1.1 200 ok');
  expect(head).toContain('content-type: text/event-stream; charset=utf-8');
  expect(head).toContain('cache-control: no-cache, no-transform');
  expect(head).toContain('x-accel-buffering: no');
  expect(head).toContain('connection: keep-alive');
  expect(head).toContain('transfer-encoding: chunked');
  expect(wireResponses(client.text)[0]?.body).toBe('retry: 2000\n\n');
});

it.each(['', 'Connection: keep-alive'])('closes the connection to end a stream on HTTP/1.0 (%s)', async (header) => {
  const { port, handle } = await serveHub();
  const client = await connectRaw(port);
  client.get('/ann', header === '' ? [] : [header], '1.0');
  (await handle(0)).send('one');
  await client.until((text) => text.includes('data: "one"'));
  const head = headOf(client.text);
  expect(head).toContain('connection: close');
  expect(head.some((line) => line.startsWith('transfer-encoding'))).toBe(false);
  (await handle(0)).close();
  await client.until(() => client.ended);
  expect(client.text.slice(client.text.indexOf('\r\n\r\n') + 4)).toBe('retry: 2000\n\ndata: "one"\n\n');
});

it('sends no chunks to HTTP/1.0, whatever framing the application set', async () => {
  const { port, handle } = await serveHub({ before: (_req, res) => res.setHeader('Transfer-Encoding', 'chunked') });
  const client = await connectRaw(port);
  client.get('/ann', [], '1.0');
  (await handle(0)).close();
  await client.until(() => client.ended);
  expect(headOf(client.text).some((line) => line.startsWith('transfer-encoding'))).toBe(false);
  expect(client.text).toMatch(/\r\n\r\nretry: 2000\n\n$/);
});

it('keeps to a client that wants the connection closed after the stream', async () => {
  const { port, handle } = await serveHub();
  const client = await connectRaw(port);
  client.get('/ann', ['Connection: close']);
  (await handle(0)).close();
  await client.until(() => client.ended);
  expect(headOf(client.text)).toContain('connection: close');
  expect(wireResponses(client.text)).toMatchObject([{ body: 'retry: 2000\n\n', complete: true }]);
});

it('adds headers, replaces and removes its own whatever their case, and lets the registration win over the hub', async () => {
  const { url } = await serveHub({
    hub: { connection: { headers: { 'X-Hub': 'hub', 'X-Both': 'hub', 'x-gone': 'hub' } } },
    register: {
      headers: {
        'CACHE-CONTROL': 'no-store',
        'x-accel-buffering': undefined,
        'x-both': 'own',
        'X-Gone': undefined,
        'X-Number': 7,
        'X-List': ['a', 'b'],
      },
    },
  });
  const { headers } = await openStream(`${url}/ann`);
  expect(headers).toMatchObject({ 'cache-control': 'no-store', 'x-hub': 'hub', 'x-both': 'own', 'x-number': '7' });
  expect(headers['x-list']).toBe('a, b');
  expect(headers).not.toHaveProperty('x-accel-buffering');
  expect(headers).not.toHaveProperty('x-gone');
  expect(headers['content-type']).toBe('text/event-stream; charset=utf-8');
});

it('ignores framing headers, given or removed, in any case', async () => {
  for (const headers of [
    { 'content-length': '3', 'TRANSFER-ENCODING': 'gzip', connection: 'upgrade' },
    { 'Content-Length': undefined, 'Transfer-Encoding': undefined, Connection: undefined },
  ]) {
    const { url, handle } = await serveHub({ register: { headers } });
    const client = await openStream(`${url}/ann`, { headers: { Connection: 'keep-alive' } });
    expect(client.headers['content-length']).toBeUndefined();
    expect(client.headers['transfer-encoding']).toBe('chunked');
    expect(client.headers.connection).toBe('keep-alive');
    (await handle(0)).send('whole');
    expect((await client.received(1))[0]?.data).toBe('"whole"');
  }
});

it.each([
  ['a name with a space', { 'X Y': 'z' }],
  ['an empty name', { '': 'z' }],
  ['a name with a colon', { ':status': '204' }],
  ['a line break', { 'X-A': 'a\r\nX-B: b' }],
  ['a NUL', { 'X-A': 'a\0' }],
  ['a character beyond latin1', { 'X-A': '→' }],
  ['a line break in a list', { 'X-A': ['fine', 'a\nb'] }],
  ['null', { 'X-A': null }],
  ['an object', { 'X-A': {} }],
  ['a framing header that is no header', { connection: 'a\r\nb: c' }],
])('refuses a header with %s, and leaves the response usable', async (_what, headers) => {
  const thrown: unknown[] = [];
  const { sse } = await serveHub();
  const { url } = await serve((_req, res) => {
    try {
      // @ts-expect-error some are no headers at all
      sse.registerConnection('ann', res, { headers });
    } catch (error) {
      thrown.push(error);
      res.statusCode = 418;
      res.end('mine');
    }
  });
  const answer = await fetch(url);
  expect(answer.status).toBe(418);
  expect(await answer.text()).toBe('mine');
  expect(thrown[0]).toBeInstanceOf(SSEKifyError);
  expect(thrown[0]).toMatchObject({ code: 'INVALID_HEADER' });
  expect(sse.stats()).toMatchObject({ connections: 0, users: 0, errorCount: 0 });
});

it('leaves what the application set on the response, but for a stale length and framing', async () => {
  const { url, handle } = await serveHub({
    before: (_req, res) => {
      res.setHeader('Access-Control-Allow-Origin', '*');
      res.setHeader('Set-Cookie', ['a=1', 'b=2']);
      res.setHeader('Content-Type', 'text/html');
      res.setHeader('Content-Length', '5');
      res.setHeader('Transfer-Encoding', 'identity');
      res.statusCode = 404;
      res.statusMessage = 'Not Found';
    },
  });
  const client = await openStream(`${url}/ann`);
  expect(client.status).toBe(200);
  expect(client.response.statusMessage).toBe('OK');
  expect(client.headers).toMatchObject({
    'access-control-allow-origin': '*',
    'set-cookie': ['a=1', 'b=2'],
    'content-type': 'text/event-stream; charset=utf-8',
    'transfer-encoding': 'chunked',
  });
  expect(client.headers['content-length']).toBeUndefined();
  (await handle(0)).send('more than five bytes');
  await client.received(1);
});

it('leaves no status of the application on a response without headers, nor its message', async () => {
  const { url } = await serveHub({
    before: (_req, res) => Object.assign(res, { statusCode: 204, statusMessage: 'Nothing' }),
  });
  const { response, until } = await openStream(`${url}/ann`);
  await until(({ retries }) => retries.length === 1);
  expect([response.statusCode, response.statusMessage]).toEqual([200, 'OK']);
});

it('shows its headers to who wraps writeHead', async () => {
  const seen: unknown[] = [];
  const { url } = await serveHub({
    before: (_req, res) => {
      const writeHead = res.writeHead.bind(res);
      res.writeHead = (status: number) => {
        seen.push(status, res.getHeader('content-type'));
        return writeHead(status);
      };
    },
  });
  const { headers } = await openStream(`${url}/ann`);
  expect(seen).toEqual([200, headers['content-type']]);
  expect(headers['content-type']).toBe('text/event-stream; charset=utf-8');
});

it('sends each character of a header as the one byte that HTTP has for it', async () => {
  // As UTF-8 is put in a header: each byte a character.
  const name = Buffer.from('José 名').toString('latin1');
  const { url } = await serveHub({
    register: { headers: { 'X-Name': name } },
    before: (_req, res) => res.setHeader('X-Own', 'é'),
  });
  const { headers } = await openStream(`${url}/ann`);
  expect(headers).toMatchObject({ 'x-own': 'é', 'x-name': name });
});

it('lets an application that closes its connections do so', async () => {
  const { url } = await serveHub({ before: (_req, res) => res.setHeader('Connection', 'close') });
  const { headers } = await openStream(`${url}/ann`, { headers: { Connection: 'keep-alive' } });
  expect(headers.connection).toBe('close');
});

it.each([
  ['as it came', () => undefined],
  ['with a header of the application', (res: ServerResponse) => res.setHeader('X-Mine', 'yes')],
])('ends a connection on which Node would refuse the client when it comes back, response %s', async (_what, before) => {
  const { server, port, handle } = await serveHub({ before: (_req, res) => before(res) });
  Object.assign(server, { maxRequestsPerSocket: 2 });
  const client = await connectRaw(port);
  for (const index of [0, 1]) {
    client.get('/ann');
    (await handle(index)).close();
    await client.until((text) => wireResponses(text)[index]?.complete === true);
  }
  await client.until(() => client.ended);
  const heads = wireResponses(client.text).map(({ head }) => head);
  expect(heads[0]).toContain('Connection: keep-alive');
  expect(heads[1]).toContain('Connection: close');
});

it('works on a response whose head the application has sent', async () => {
  const { url, handle } = await serveHub({
    before: (_req, res) => {
      res.writeHead(200, { 'Content-Type': 'text/event-stream', 'X-Mine': 'yes' });
      res.flushHeaders();
    },
  });
  const client = await openStream(`${url}/ann`);
  (await handle(0)).send('hello');
  expect(client.headers['x-mine']).toBe('yes');
  expect(client.headers['cache-control']).toBeUndefined();
  expect((await client.received(1))[0]?.data).toBe('"hello"');
  expect(client.retries).toEqual([2000]);
});

it.each([0, 1, 2 ** 31 - 1])('sends a reconnection time of %d ms before anything else', async (retryMs) => {
  const { url, handle } = await serveHub({ register: { retryMs } });
  const client = await openStream(`${url}/ann`);
  (await handle(0)).send('first');
  await client.received(1);
  expect(client.raw).toBe(`retry: ${retryMs}\n\ndata: "first"\n\n`);
});

it('causes no process warning', async () => {
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on('warning', note);
  const { url, handle } = await serveHub();
  const client = await openStream(`${url}/ann`);
  (await handle(0)).send('hello');
  await client.received(1);
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', note);
  expect(warnings).toEqual([]);
});
