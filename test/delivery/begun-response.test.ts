import type { ServerResponse } from 'node:http';
import { expect, it } from 'vitest';
import { openStream } from '../helpers/client.js';
import { serveHub } from '../helpers/server.js';

const HEAD = { 'Content-Type': 'text/event-stream' };

it.each<[string, (res: ServerResponse) => void, string[]]>([
  ['had begun to write', (res) => res.write(': before\n\n'), ['before']],
  ['had made the head, which has not left', (res) => res.writeHead(200, HEAD), []],
  ['had sent the head', (res) => res.writeHead(200, HEAD).flushHeaders(), []],
])('goes on behind an application that %s', async (_what, begin, comments) => {
  const { sse, url, handle } = await serveHub({ before: (_req, res) => begin(res) });
  const ann = await openStream(`${url}/ann`);
  await handle(0);
  sse.sendToUser('ann', 'é€😀');
  expect((await ann.received(1))[0]?.data).toBe('"é€😀"');
  expect(ann.comments).toEqual(comments);
  expect(ann.retries).toEqual([2000]);
});

it.each([204, 304])('ends a response whose head, with status %i, says that nothing follows', async (status) => {
  const { sse, url, handle } = await serveHub({ before: (_req, res) => res.writeHead(status).flushHeaders() });
  const response = await fetch(`${url}/ann`);
  expect(response.status).toBe(status);
  expect(await handle(0)).toMatchObject({ closed: true, refused: 'head' });
  expect(sse.stats()).toMatchObject({ connections: 0, refused: { head: 1 } });
});

it('ends a stream that had begun, of a user who has too many, without a word in it', async () => {
  const { sse, url, handle } = await serveHub({
    hub: { maxConnectionsPerUser: 1 },
    before: (_req, res) => res.writeHead(200, HEAD).flushHeaders(),
  });
  await openStream(`${url}/ann`);
  await handle(0);
  const second = await openStream(`${url}/ann`);
  await second.over;
  expect(second).toMatchObject({ status: 200, ended: true, raw: '' });
  expect(sse.stats()).toMatchObject({ connections: 1, refused: { 'user-limit': 1 } });
});

it('waits with an application that corks its response', async () => {
  const responses: ServerResponse[] = [];
  const { sse, url, handle } = await serveHub({
    before: (_req, res) => {
      responses.push(res);
      res.cork();
    },
  });
  const opening = openStream(`${url}/ann`);
  await handle(0);
  sse.sendToUser('ann', 'corked');
  responses[0]?.uncork();
  const ann = await opening;
  expect((await ann.received(1))[0]?.data).toBe('"corked"');
  expect(ann.retries).toEqual([2000]);
});
