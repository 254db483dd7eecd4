import { randomBytes } from 'node:crypto';
import { expect, it } from 'vitest';
import { atEnd } from '../../helpers/cleanup.js';
import { type Example, postJson, request, startFile, startScript } from '../../helpers/example.js';
import { expectBadBodiesRefused, liveStream } from '../refusals.js';

const BACKEND_KEY = randomBytes(32).toString('hex');
const LINK_SECRET = randomBytes(32).toString('hex');
const backend = { Authorization: `Bearer ${BACKEND_KEY}` };

async function start(env: Readonly<Record<string, string>> = {}): Promise<Example> {
  const example = await startScript('dev:auth:presigned', { BACKEND_KEY, LINK_SECRET, SSE_RETRY_MS: '20', ...env });
  atEnd(example.stop);
  return example;
}

async function linkFor({ url }: Example, userId: string): Promise<URL> {
  const answer = await postJson(`${url}/links`, { userId }, backend);
  expect(answer).toMatchObject({ status: 200, headers: { 'cache-control': 'no-store' } });
  return new URL(String(answer.json().link), url);
}

function changed(link: URL, change: (query: URLSearchParams) => void): string {
  const other = new URL(link);
  change(other.searchParams);
  return other.href;
}

it.each(['ann', 'a&userId=bob', 'ünï 🦊', '__proto__'])('lets in who has a link, as the user %s', async (userId) => {
  const example = await start();
  const stream = await liveStream((await linkFor(example, userId)).href);
  const answer = await postJson(
    `${example.url}/notify/${encodeURIComponent(userId)}`,
    { event: 'news', data: 1 },
    backend,
  );
  expect(answer.status).toBe(200);
  await stream.event('news');
  expect(JSON.parse((await stream.event('expires')).data)).toMatchObject({ userId });
});

it('refuses links that were changed, and the user ids that are none', async () => {
  const example = await start();
  const link = await linkFor(example, 'ann');
  const stream = await liveStream(link.href);
  const refused: [number, string][] = [
    [403, changed(link, (query) => query.set('userId', 'bob'))],
    [403, changed(link, (query) => query.set('expires', String(Number(query.get('expires')) + 1)))],
    [403, changed(link, (query) => query.delete('expires'))],
    [403, changed(link, (query) => query.delete('signature'))],
    [403, changed(link, (query) => query.set('signature', ''))],
    [403, changed(link, (query) => query.append('signature', 'x'))],
    [403, changed(link, (query) => query.append('expires', '1'))],
    [400, changed(link, (query) => query.append('userId', 'bob'))],
    [400, changed(link, (query) => query.set('userId', ''))],
    [400, changed(link, (query) => query.delete('userId'))],
  ];
  for (const [status, url] of refused) {
    const answer = await request(url);
    expect(answer.status, url).toBe(status);
    expect(answer.json(), url).toMatchObject({ error: expect.any(String) });
  }
  await postJson(`${example.url}/notify/ann`, { event: 'news', data: 1 }, backend);
  await stream.event('news');
});

it('ends the stream when its link expires, and refuses the link from then on', async () => {
  const example = await start({ LINK_SECONDS: '1' });
  const { href } = await linkFor(example, 'ann');
  const stream = await liveStream(href);
  await stream.over;
  expect(stream.ended).toBe(true);
  await expect.poll(async () => (await request(href, { method: 'HEAD' })).status, { timeout: 10_000 }).toBe(403);
});

it('makes links for the backend alone', async () => {
  const example = await start();
  for (const headers of [{}, { Authorization: 'Bearer wrong' }, { Authorization: `Basic ${BACKEND_KEY}` }]) {
    for (const [route, body] of [['links', { userId: 'ann' }] as const, ['notify/ann', { data: 1 }] as const]) {
      expect((await postJson(`${example.url}/${route}`, body, headers)).status).toBe(401);
    }
  }
});

it('refuses bad bodies with 4xx, and streams go on until SIGTERM', async () => {
  const example = await start();
  const stream = await liveStream((await linkFor(example, 'ann')).href);
  await expectBadBodiesRefused(`${example.url}/links`, [{ userId: '' }, { userId: {} }], backend);
  await expectBadBodiesRefused(`${example.url}/notify/ann`, [{ data: 1, event: 'two\nlines' }], backend);
  await postJson(`${example.url}/notify/ann`, { event: 'news', data: 1 }, backend);
  await stream.event('news');
  expect(example.output).not.toMatch(new RegExp(`${BACKEND_KEY}|${LINK_SECRET}`));
  example.signal('SIGTERM');
  await stream.event('server:shutdown');
});

it('does not start without the key of the backend', async () => {
  await expect(startFile('examples/auth/presigned.mjs', { BACKEND_KEY: undefined })).rejects.toThrow(
    'BACKEND_KEY has 0 bytes: expected at least 32',
  );
});
