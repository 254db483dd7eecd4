import { once } from 'node:events';
import http2 from 'node:http2';
import { expect } from 'vitest';
import { atEnd } from '../../helpers/cleanup.js';
import { openStream } from '../../helpers/client.js';
import { BROWSER, get, greeted, HUB, json, post, type Run } from './context.js';

/** The first example, the quick start and the browser. */
export const QUICK_START_RUNS: Readonly<Record<string, Run>> = {
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
};
