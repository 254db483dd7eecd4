/**
 * How each code block of the README is run: what stands around it, and what has to come of it. A name is that of the
 * block's `<!-- run: name -->` line.
 */
import { once } from 'node:events';
import http from 'node:http';
import http2 from 'node:http2';
import zlib from 'node:zlib';
import { EventSource } from 'eventsource';
import { expect } from 'vitest';
import { SSEKify } from '../../src/index.js';
import { atEnd } from '../helpers/cleanup.js';
import { openStream, type StreamClient } from '../helpers/client.js';
import { serve } from '../helpers/server.js';
import type { Program } from './sandbox.js';

export interface Run {
  before?: string;
  after?: string;
  /** What the program gets as environment. */
  env?(): Promise<Record<string, string>>;
  /** Without it the program has to end by itself, with exit code 0. */
  drive?(program: Program, start: (name: string, env?: Record<string, string>) => Program): Promise<void>;
}

const HUB = "import { SSEKify } from 'ssekify';\nconst sse = new SSEKify();\n";
const EXPRESS = `import express from 'express';\nconst app = express();\n${HUB}`;
const LISTEN = 'app.listen(3000);';

/** The block runs when a client of Ann's came. */
const PER_CLIENT: Pick<Run, 'before' | 'after'> = {
  before: `import http from 'node:http';\n${HUB}http.createServer(async (req, res) => {
  sse.registerConnection('ann', res, { rooms: ['news'] });`,
  after: '}).listen(3000);',
};

/** Serves what the block's hub has recorded: whoever comes with an id that is not known gets a gap, and all of it. */
const SERVE_RECENT = `
const { createServer } = await import('node:http');
createServer((req, res) => { sse.registerConnection('ann', res); }).listen(3000);
`;

/** What Node 20 lacks and a browser has, at the place where the test serves. */
const BROWSER = `
import { EventSource as Standard } from 'eventsource';
const place = (url) => new URL(url, process.env.BASE);
const firstHeaders = process.env.LAST_ID ? { 'Last-Event-ID': process.env.LAST_ID } : {};
globalThis.EventSource = class extends Standard {
  constructor(url) {
    super(place(url), {
      fetch: (input, init) => nodeFetch(input, { ...init, headers: { ...init.headers, ...firstHeaders } }),
    });
  }
};
const nodeFetch = globalThis.fetch;
globalThis.fetch = (url, init) => nodeFetch(place(url), init);
`;

const json = (text: string | undefined): unknown => JSON.parse(text ?? '');

async function post(url: string, body?: unknown): Promise<unknown> {
  const response = await fetch(url, {
    method: 'POST',
    headers: { 'content-type': 'application/json', connection: 'close' },
    ...(body !== undefined && { body: JSON.stringify(body) }),
  });
  return response.json();
}

async function get(url: string): Promise<{ status: number; text: string }> {
  const response = await fetch(url, { headers: { connection: 'close' } });
  return { status: response.status, text: await response.text() };
}

/** Data of the first event of a program whose hub sent it before anyone came. */
async function firstRecorded(program: Program): Promise<string> {
  const client = await openStream(await program.url(), { lastEventId: 'not-known' });
  const [gap, first] = await client.received(2);
  expect(gap?.event).toBe('server:gap');
  return first?.data ?? '';
}

async function greeted(program: Program, text: string, path = '/sse'): Promise<StreamClient> {
  const client = await openStream(`${await program.url()}${path}`);
  const [first] = await client.received(1);
  expect(client.status).toBe(200);
  expect(client.headers['content-type']).toBe('text/event-stream; charset=utf-8');
  expect(json(first?.data)).toBe(text);
  return client;
}

export const RUNS: Readonly<Record<string, Run>> = {
  first: {
    async drive(program) {
      const url = await program.url();
      const client = await openStream(`${url}/sse`);
      expect(await post(`${url}/hello`)).toEqual({ reached: 1 });
      expect(json((await client.event('greeting')).data)).toMatchObject({ hello: 'Ann' });
    },
  },

  express: {
    async drive(program) {
      const url = await program.url();
      const ann = await openStream(`${url}/sse?userId=ann&rooms=news,,sports`);
      const bob = await openStream(`${url}/sse?userId=bob`);
      expect(await post(`${url}/notify/ann`, { n: 1 })).toEqual({ reached: 1 });
      expect(await post(`${url}/room/news`, { n: 2 })).toEqual({ reached: 1 });
      expect(await post(`${url}/broadcast`, { n: 3 })).toEqual({ reached: 2 });
      const [first, second, third] = await ann.received(3);
      expect(first?.event).toBe('notify');
      expect([first, second, third].map((event) => json(event?.data))).toMatchObject([{ n: 1 }, { n: 2 }, { n: 3 }]);
      const { id } = ann.events[1] ?? {};
      ann.close();
      await post(`${url}/notify/ann`, { n: 4 });
      const again = await openStream(`${url}/sse?userId=ann`, { lastEventId: id ?? '' });
      expect((await again.received(2)).map(({ data }) => json(data))).toMatchObject([{ n: 3 }, { n: 4 }]);
      expect(await bob.received(1)).toHaveLength(1);
    },
  },

  koa: {
    before: `import http from 'node:http';\n${HUB}
const routes = new Map();
const router = { get: (path, handler) => routes.set(path, handler) };
const userOf = (ctx) => ctx.user;`,
    after: `
http.createServer((req, res) => {
  // As Koa does it: 404 first, and an answer of its own unless it was told not to.
  res.statusCode = 404;
  const ctx = { req, res, user: 'ann', respond: true };
  routes.get(req.url)(ctx);
  if (ctx.respond !== false) res.end('Not Found');
  sse.sendToUser('ann', 'hello');
}).listen(3000);`,
    drive: async (program) => void (await greeted(program, 'hello')),
  },

  fastify: {
    before: `import http from 'node:http';\n${HUB}
const routes = new Map();
const fastify = { get: (path, handler) => routes.set(path, handler) };
const userOf = (request) => request.user;`,
    after: `
http.createServer((req, res) => {
  const reply = { raw: res, hijacked: false, hijack() { this.hijacked = true; }, getHeaders: () => ({ 'x-own': 'kept' }) };
  routes.get(req.url)({ raw: req, user: 'ann' }, reply);
  if (!reply.hijacked) res.end();
  sse.sendToUser('ann', 'hello');
}).listen(3000);`,
    async drive(program) {
      const client = await greeted(program, 'hello');
      expect(client.headers['x-own']).toBe('kept');
    },
  },

  hapi: {
    before: `import http from 'node:http';\n${HUB}
const routes = new Map();
const server = { route: ({ method, path, handler }) => routes.set(path, method === 'GET' && handler) };
const userOf = (request) => request.user;`,
    after: `
http.createServer((req, res) => {
  const abandon = Symbol('abandon');
  if (routes.get(req.url)({ raw: { req, res }, user: 'ann' }, { abandon }) !== abandon) res.end();
  sse.sendToUser('ann', 'hello');
}).listen(3000);`,
    drive: async (program) => void (await greeted(program, 'hello')),
  },

  nest: {
    before: `import http, { type ServerResponse } from 'node:http';\n${HUB}
const routes = new Map<string, string>();
const Controller = (): ClassDecorator => () => undefined;
const Get = (path: string): MethodDecorator => (_, name) => { routes.set(path, String(name)); };
const Query = (_: string): ParameterDecorator => () => undefined;
const Res = (): ParameterDecorator => () => undefined;`,
    after: `
http.createServer((_, res) => {
  if (routes.get('sse') === 'stream') new EventsController().stream('ann', res);
  sse.sendToUser('ann', 'hello');
}).listen(3000);`,
    drive: async (program) => void (await greeted(program, 'hello')),
  },

  http: {
    after: "server.on('request', () => sse.sendToUser('guest', 'hello'));",
    async drive(program) {
      await greeted(program, 'hello');
      expect(await get(`${await program.url()}/elsewhere`)).toMatchObject({ status: 404 });
    },
  },

  http2: {
    after: "server.on('request', () => sse.sendToUser('ann', 'hello'));",
    async drive(program) {
      const session = http2.connect(await program.url());
      atEnd(() => session.destroy());
      const stream = session.request({ ':path': '/sse' }).setEncoding('utf8');
      const [headers] = await once(stream, 'response');
      expect(headers).toMatchObject({ ':status': 200, 'content-type': 'text/event-stream; charset=utf-8' });
      let text = '';
      for await (const chunk of stream) {
        text += chunk;
        if (text.includes('data: "hello"')) break;
      }
      expect(text).toContain('retry: 2000');
    },
  },

  browser: {
    before: BROWSER,
    env: async () => ({ BASE: 'http://127.0.0.1:1' }),
    async drive(_, start) {
      const url = await start('express').url();
      const page = start('browser', { BASE: url, LAST_ID: 'not-known' });
      await page.printed('reload');
      await post(`${url}/notify/ann`, { n: 1 });
      await post(`${url}/room/news`, { n: 2 });
      await page.printed('notify { n: 1');
      await page.printed('message { n: 2');
      expect(page.output).not.toContain('message { n: 1');
    },
  },

  esm: { after: "if (typeof sse.sendToAll !== 'function' || !SSEKifyError) throw new Error('not loaded');" },
  'esm-default': {
    after: `
const named = await import('ssekify');
if (named.SSEKify !== SSEKify || named.SSEKifyError !== SSEKifyError) throw new Error('another class');
if (sse.stats().connections !== 0) throw new Error('not loaded');`,
  },
  cjs: {
    after: `
import('ssekify').then((named) => {
  if (named.SSEKify !== SSEKify || named.SSEKifyError !== SSEKifyError) throw new Error('another class');
  if (sse.stats().connections !== 0) throw new Error('not loaded');
});`,
  },
  satisfies: {
    after: "const policy: 'disconnect' = options.connection.dropPolicy;\nconsole.log(sse.stats().sent, policy);",
  },
  typed: {},

  handle: {
    before: `import http from 'node:http';\n${HUB}http.createServer((req, res) => {`,
    after: '}).listen(3000);',
    async drive(program) {
      const client = await openStream(await program.url());
      await client.over;
      expect(client.ended).toBe(true);
      expect(client.events).toMatchObject([{ event: 'hello', id: undefined }]);
      expect(client.comments).toEqual(['no listener sees this']);
      expect(program.output).toMatch(/^\S+-1 ann \[ 'sports' \] undefined false$/m);
    },
  },

  send: {
    ...PER_CLIENT,
    async drive(program) {
      const events = await (await openStream(await program.url())).received(3);
      expect(events.map(({ event }) => event)).toEqual([undefined, 'headline', undefined]);
      expect(json(events[0]?.data)).toMatchObject({ text: 'hi' });
      expect(events[2]?.data).toBe('a line\nand another');
    },
  },

  publish: {
    ...PER_CLIENT,
    after: `console.log('id', id);\n}).listen(3000);`,
    async drive(program) {
      const events = await (await openStream(await program.url())).received(5);
      expect(events.map(({ data }) => Reflect.get(Object(json(data)), 'notice'))).toEqual([
        'for all',
        'for Ann',
        'the same, by name',
        'for a room',
        'everyone, by name',
      ]);
      expect(events[4]?.event).toBe('notice');
      await program.printed(`id ${events[4]?.id}`);
    },
  },

  'publish-close': {
    ...PER_CLIENT,
    before: `${PER_CLIENT.before}
const log = () => console.log('in', sse.getRoomConnectionCount('sports'));
const { publishJoin } = sse;
sse.publishJoin = (...args) => publishJoin.apply(sse, args).finally(log);`,
    async drive(program) {
      const client = await openStream(await program.url());
      await client.over;
      expect(client.ended).toBe(true);
      expect(client.events.map(({ event, data }) => [event, json(data)])).toEqual([
        ['server:close', { reason: 'signed-out' }],
      ]);
      await program.printed('in 1');
    },
  },

  'auto-fields': {
    after: SERVE_RECENT,
    async drive(program) {
      const data = json(await firstRecorded(program));
      expect(data).toEqual({ text: 'hi', timestamp: expect.any(Number), traceId: 'trace-1' });
    },
  },

  events: {
    before: HUB,
    after: `${SERVE_RECENT}\nsse.sendToAll(1n);`,
    async drive(program) {
      const client = await openStream(await program.url(), { lastEventId: 'not-known' });
      await program.printed('NOT_SERIALIZABLE');
      await program.printed('gap ann unknown');
      await program.printed('connect ann');
      client.close();
      await program.printed('disconnect ann client');
    },
  },

  seq: {
    ...PER_CLIENT,
    async drive(program) {
      const events = await (await openStream(await program.url())).received(3);
      expect(events.map(({ data }) => json(data))).toMatchObject([
        { text: 'Hel', seq: 0 },
        { text: 'lo', seq: 1 },
        { final: true, seq: 2 },
      ]);
    },
  },

  gap: {
    before: `${BROWSER}\nconst render = (state) => console.log('render', JSON.stringify(state));`,
    async env() {
      const sse = new SSEKify();
      const { url } = await serve((req, res) => {
        if (req.url === '/api/state') res.setHeader('connection', 'close').end('{"state":"all of it"}');
        else {
          sse.registerConnection('ann', res);
          sse.sendToUser('ann', { change: 1 }, { event: 'change' });
        }
      });
      atEnd(() => sse.shutdown({ graceMs: 0 }));
      return { BASE: url, LAST_ID: 'not-known' };
    },
    async drive(program) {
      await program.printed('history is missing: unknown');
      await program.printed('render {"state":"all of it"}');
      await program.printed('render {"change":1');
    },
  },

  errors: {
    drive: async (program) => {
      expect(await program.exited()).toBe(0);
      expect(program.output).toBe('no such user id\n');
    },
  },

  compression: {
    after: "app.get('/send', (req, res) => { res.json(sse.sendToUser('ann', 'hello')); });",
    async drive(program) {
      const url = await program.url();
      const request = http.get(`${url}/sse`, { headers: { 'accept-encoding': 'gzip' }, agent: false });
      atEnd(() => request.destroy());
      const [response] = (await once(request, 'response')) as [http.IncomingMessage];
      expect(response.headers['content-encoding']).toBe('gzip');
      expect(await get(`${url}/send`)).toMatchObject({ text: '1' });
      let text = '';
      for await (const chunk of response.pipe(zlib.createGunzip()).setEncoding('utf8')) {
        text += chunk;
        if (text.includes('data: "hello"')) break;
      }
      expect(text).toContain('retry: 2000');
    },
  },

  'headers-sent': {
    before: `${EXPRESS}const userOf = async (req) => (req.query.id ? { id: String(req.query.id), name: 'Ann' } : undefined);`,
    after: `
app.get('/json', (req, res) => {
  sse.registerConnection('ann', res);
  try { res.json({ ok: true }); } catch (error) { sse.sendToUser('ann', Reflect.get(Object(error), 'code')); }
});
app.get('/next', (req, res, next) => {
  sse.registerConnection('ann', res);
  next(new Error('too late'));
});
${LISTEN}`,
    async drive(program) {
      const url = await program.url();
      expect(await get(`${url}/sse`)).toEqual({ status: 401, text: '{"error":"sign in first"}' });
      const client = await openStream(`${url}/sse?id=ann`);
      expect(json((await client.received(1))[0]?.data)).toMatchObject({ hello: 'Ann' });
      await greeted(program, 'ERR_HTTP_HEADERS_SENT', '/json');
      const cut = await openStream(`${url}/next`);
      await cut.over;
      expect(cut.ended).toBe(false);
    },
  },

  'no-content': {
    before: `${EXPRESS.replace('SSEKify()', 'SSEKify({ retryMs: 10 })')}let finished = false;\nconst isFinished = (req) => finished;`,
    after: `
sse.on('connect', () => {
  finished = true;
  sse.close();
});
${LISTEN}`,
    async drive(program) {
      const source = new EventSource(`${await program.url()}/sse`);
      atEnd(() => source.close());
      const codes: (number | undefined)[] = [];
      while (source.readyState !== EventSource.CLOSED) {
        const event = await new Promise<{ code?: number | undefined }>((resolve) => {
          source.onerror = resolve;
        });
        codes.push(event.code);
      }
      // First the clean end, after which it reconnects; then the 204, after which it does not.
      expect(codes).toEqual([undefined, 204]);
    },
  },

  slow: { after: 'console.log(sse.stats().connections);' },
  throughput: { after: 'console.log(sse.stats().connections);' },

  serializer: {
    after: SERVE_RECENT,
    async drive(program) {
      expect(await firstRecorded(program)).toMatch(
        /^\{"name":"root","parent":\{"name":"root","parent":"\[circular\]","size":10\},"size":10,"timestamp":"[^"]+"\}$/,
      );
    },
  },

  sigterm: {
    async drive(program) {
      const client = await openStream(`${await program.url()}/sse`);
      await client.until(({ retries }) => retries.length === 1);
      program.signal('SIGTERM');
      expect(json((await client.event('server:shutdown')).data)).toMatchObject({ code: 'SHUTDOWN' });
      await client.over;
      expect(client.ended).toBe(true);
      expect(client.retries).toHaveLength(2);
      expect(await program.exited()).toBe(0);
    },
  },
};
