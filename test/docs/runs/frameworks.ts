import { once } from 'node:events';
import http2 from 'node:http2';
import { expect } from 'vitest';
import { atEnd } from '../../helpers/cleanup.js';
import type { StreamClient } from '../../helpers/client.js';
import { blockNamed } from '../markdown.js';
import type { Program } from '../sandbox.js';
import { get, greeted, HUB, type Run } from './context.js';

const GREETING_HUB = `${HUB}sse.on('connect', ({ userId }) => sse.sendToUser(userId, 'hello'));\n`;

/** Serves what takes a Fetch request; the runtimes themselves are of other tests. */
const FETCH_SERVER = `import { serve } from '@hono/node-server';
const userOf = (request) => new URL(request.url).searchParams.get('userId') ?? '';\n`;

/** A user gets a stream; who is none gets the framework's own answer to an error. */
async function streamAndRefusal(program: Program): Promise<StreamClient> {
  const client = await greeted(program, 'hello', '/sse?userId=ann');
  expect(await get(`${await program.url()}/sse?userId=`)).toMatchObject({ status: 500 });
  return client;
}

async function endsAtSigterm(program: Program, client: StreamClient): Promise<void> {
  program.signal('SIGTERM');
  await client.event('server:shutdown');
  await client.over;
  expect(client.ended).toBe(true);
}

/** The recipes for other frameworks, each in the framework itself. */
export const FRAMEWORK_RUNS: Readonly<Record<string, Run>> = {
  koa: {
    before: `import { Router } from '@koa/router';\nimport Koa from 'koa';\n${GREETING_HUB}
const router = new Router();
const userOf = (ctx) => ctx.query.userId;`,
    after: 'new Koa().use(router.routes()).listen(3000);',
    drive: async (program) => void (await streamAndRefusal(program)),
  },

  fastify: {
    before: `import createFastify from 'fastify';\n${GREETING_HUB}
const fastify = createFastify();
fastify.addHook('onRequest', async (_, reply) => void reply.header('X-Own', 'kept'));
fastify.addHook('onSend', async (_, reply) => void reply.header('X-Late', 'not there'));
const userOf = (request) => request.query.userId;`,
    after: "await fastify.listen({ port: 0, host: '127.0.0.1' });",
    async drive(program) {
      const client = await streamAndRefusal(program);
      expect(client.headers['x-own']).toBe('kept');
      expect(client.headers).not.toHaveProperty('x-late');
    },
  },

  hapi: {
    before: `import Hapi from '@hapi/hapi';\n${GREETING_HUB}
const server = Hapi.server({ port: 0, host: '127.0.0.1', debug: false });
const userOf = (request) => request.query.userId;`,
    after: 'await server.start();',
    drive: async (program) => void (await streamAndRefusal(program)),
  },

  nest: {
    before: `import 'reflect-metadata';
import type { ServerResponse } from 'node:http';
import { Controller, Get, Module, Query, Res } from '@nestjs/common';
import { NestFactory } from '@nestjs/core';\n${GREETING_HUB}`,
    after: `
@Module({ controllers: [EventsController] })
class AppModule {}
const app = await NestFactory.create(AppModule, { logger: false });
await app.listen(3000);`,
    drive: async (program) => void (await streamAndRefusal(program)),
  },

  hono: {
    before: `import { serve } from '@hono/node-server';
import { Hono } from 'hono';
import { cors } from 'hono/cors';\n${GREETING_HUB}
const app = new Hono();
app.use(cors());
const userOf = (c) => c.req.query('userId');`,
    async drive(program) {
      const client = await streamAndRefusal(program);
      expect(client.headers['access-control-allow-origin']).toBe('*');
    },
  },

  bun: {
    before: `${FETCH_SERVER}${GREETING_HUB}const Bun = { serve: (options) => serve({ fetch: options.fetch, port: options.port }) };`,
    drive: async (program) => void (await streamAndRefusal(program)),
  },

  deno: {
    before: `${FETCH_SERVER}${GREETING_HUB}const Deno = { serve: (options, fetch) => serve({ ...options, fetch }) };`,
    drive: async (program) => void (await streamAndRefusal(program)),
  },

  next: {
    before: FETCH_SERVER,
    after: 'serve({ fetch: GET, port: 3000 });',
    async drive(program) {
      // Next's check of types takes no other export of a route.
      const exported = [...blockNamed('next').code.matchAll(/^export \w+ (\w+)/gm)].map(([, name]) => name);
      expect(exported).toEqual(['runtime', 'dynamic', 'GET']);
      await endsAtSigterm(program, await streamAndRefusal(program));
    },
  },

  remix: {
    before: FETCH_SERVER + GREETING_HUB,
    after: 'serve({ fetch: (request) => loader({ request }), port: 3000 });',
    drive: async (program) => void (await streamAndRefusal(program)),
  },

  sveltekit: {
    before: FETCH_SERVER + GREETING_HUB,
    after: 'serve({ fetch: (request) => GET({ request }), port: 3000 });',
    drive: async (program) => void (await streamAndRefusal(program)),
  },

  nuxt: {
    before: `import http from 'node:http';\n${GREETING_HUB}
const userOf = ({ node }) => new URL(node.req.url, 'http://localhost').searchParams.get('userId') ?? '';
const defineEventHandler = (handler) => http.createServer((req, res) => {
  try {
    handler({ node: { req, res } });
  } catch {
    res.writeHead(500).end();
  }
}).listen(3000);`,
    drive: async (program) => void (await streamAndRefusal(program)),
  },

  adonis: {
    before: `import http from 'node:http';\n${GREETING_HUB}
const userOf = (request) => new URL(request.url, 'http://localhost').searchParams.get('userId') ?? '';
const router = {
  get: (path, handler) => http.createServer((request, raw) => {
    try {
      handler({ request, response: { response: raw, relayHeaders: () => raw.setHeader('X-Own', 'kept') } });
    } catch {
      raw.writeHead(500).end();
    }
  }).listen(3000),
};`,
    async drive(program) {
      const client = await streamAndRefusal(program);
      expect(client.headers['x-own']).toBe('kept');
    },
  },

  egg: {
    after: `
const app = {};
const boot = new module.exports(app);
boot.didLoad().then(() => {
  require('node:http').createServer((_, res) => {
    app.sse.registerConnection('ann', res);
    app.sse.sendToUser('ann', 'hello');
  }).listen(3000);
});
process.on('SIGTERM', () => boot.beforeClose());`,
    env: async () => ({ REDIS_URL: '' }),
    async drive(program) {
      await endsAtSigterm(program, await greeted(program, 'hello'));
    },
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
};
