import type { ServerResponse } from 'node:http';
import createFastify from 'fastify';
import { expect, it } from 'vitest';
import { SSEKify } from '../../src/index.js';
import { next } from '../helpers/emitted.js';
import { endWithTest } from '../helpers/server.js';

/** Fastify's `inject`, which is light-my-request, with a response that is read while it goes on. */
async function inject(signal?: AbortSignal) {
  const sse = new SSEKify();
  endWithTest(sse);
  const fastify = createFastify();
  fastify.get('/sse', (_, reply) => {
    sse.registerConnection('ann', reply.raw);
    reply.hijack();
  });
  const response = await fastify.inject({ url: '/sse', payloadAsStream: true, ...(signal && { signal }) });
  const stream = response.stream().setEncoding('utf8');
  const left = next(sse, 'disconnect');
  expect(sse.sendToUser('ann', 'hello')).toBe(1);
  let text = '';
  for await (const piece of stream.iterator({ destroyOnReturn: false })) {
    text += piece;
    if (text.includes('"hello"')) break;
  }
  stream.on('error', () => {});
  const raw: ServerResponse = response.raw.res;
  return { sse, left, raw };
}

it('hears that an injected request was aborted', async () => {
  const abort = new AbortController();
  const { sse, left } = await inject(abort.signal);
  abort.abort();
  expect(await left).toMatchObject({ userId: 'ann' });
  expect(sse.stats()).toMatchObject({ connections: 0, users: 0 });
});

it('hears that an injected response was destroyed', async () => {
  const { sse, left, raw } = await inject();
  raw.destroy();
  expect(await left).toMatchObject({ userId: 'ann', reason: 'client' });
  expect(sse.stats()).toMatchObject({ connections: 0, users: 0 });
});
