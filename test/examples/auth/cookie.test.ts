import type { Browser, Page } from 'playwright-core';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { lacksBrowser, launchBrowser } from '../../helpers/browser.js';
import { atEnd } from '../../helpers/cleanup.js';
import { openStream } from '../../helpers/client.js';
import { type Answer, type Example, postJson, request, startScript } from '../../helpers/example.js';
import { serve } from '../../helpers/server.js';
import { expectBadBodiesRefused } from '../refusals.js';

const ALLOWED = 'https://app.example';

async function start(env: Readonly<Record<string, string>> = {}): Promise<Example> {
  const settings = { ALLOWED_ORIGINS: ALLOWED, SSE_RETRY_MS: '20', ...env };
  const example = await startScript('dev:auth:cookie', settings);
  atEnd(example.stop);
  return example;
}

/** What a browser would send back. */
const cookieIn = ({ headers }: Answer) => ({ Cookie: String(headers['set-cookie']?.[0]?.split(';')[0]) });

const login = async ({ url }: Example, userId = 'ann', headers = {}) =>
  cookieIn(await postJson(`${url}/login`, { userId }, headers));

async function liveAs(example: Example, headers: Record<string, string>) {
  const stream = await openStream(`${example.url}/sse`, { headers });
  await stream.event('live');
  return stream;
}

it('lets in who has a session, as its user and nobody else', async () => {
  const example = await start();
  const answer = await postJson(`${example.url}/login`, { userId: 'ann' });
  expect(answer.headers['set-cookie']?.[0]).toMatch(/^session=[\w-]{43}; .*HttpOnly; SameSite=Lax$/);
  const ann = await liveAs(example, { ...cookieIn(answer), 'X-User': 'bob' });
  const bobs = await login(example, 'bob');
  const bob = await liveAs(example, bobs);
  await postJson(`${example.url}/notify`, { event: 'news', data: 1 }, cookieIn(answer));
  await ann.event('news');
  await postJson(`${example.url}/notify`, { event: 'news', data: 2 }, bobs);
  await bob.event('news');
  expect(bob.events.filter(({ event }) => event === 'news').map(({ data }) => JSON.parse(data))).toEqual([2]);
});

it('refuses streams and events without a session, or with one that is none', async () => {
  const example = await start();
  for (const headers of [
    {},
    { Cookie: 'session=' },
    { Cookie: 'session=guess; other=1' },
    { Cookie: 'a=b=c;;session' },
  ]) {
    expect((await request(`${example.url}/sse?userId=ann`, { headers })).status).toBe(401);
    expect((await postJson(`${example.url}/notify`, { data: 1 }, headers)).status).toBe(401);
  }
});

it('ends the streams of a session with its log-out, and of no other', async () => {
  const example = await start();
  const [phone, laptop] = [await login(example), await login(example)];
  const [onPhone, onLaptop] = [await liveAs(example, phone), await liveAs(example, laptop)];
  await postJson(`${example.url}/logout`, {}, phone);
  await onPhone.over;
  expect((await request(`${example.url}/sse`, { headers: phone })).status).toBe(401);
  await postJson(`${example.url}/notify`, { event: 'news', data: 1 }, laptop);
  await onLaptop.event('news');
});

it('gives each login a new session, and ends the one before', async () => {
  const example = await start();
  const first = await login(example);
  const stream = await liveAs(example, first);
  const second = await login(example, 'ann', first);
  expect(second).not.toEqual(first);
  await stream.over;
  expect((await request(`${example.url}/sse`, { headers: first })).status).toBe(401);
});

it('ends the stream when its session expires, and lets nobody back in with it', async () => {
  const example = await start({ SESSION_SECONDS: '1' });
  const session = await login(example);
  const stream = await liveAs(example, session);
  await stream.over;
  expect(stream.ended).toBe(true);
  await expect
    .poll(async () => (await request(`${example.url}/sse`, { method: 'HEAD', headers: session })).status)
    .toBe(401);
});

it('names the origin that may read, never any, and refuses the others', async () => {
  const example = await start();
  const session = await login(example);
  const allowed = await openStream(`${example.url}/sse`, { headers: { ...session, Origin: ALLOWED } });
  expect(allowed.status).toBe(200);
  expect(allowed.headers).toMatchObject({
    'access-control-allow-origin': ALLOWED,
    'access-control-allow-credentials': 'true',
    vary: expect.stringContaining('Origin'),
    'content-type': expect.stringContaining('text/event-stream'),
  });
  const preflight = { Origin: ALLOWED, 'Access-Control-Request-Method': 'POST' };
  expect(await request(`${example.url}/notify`, { method: 'OPTIONS', headers: preflight })).toMatchObject({
    status: 204,
    headers: { 'access-control-allow-origin': ALLOWED, 'access-control-allow-credentials': 'true' },
  });
  for (const Origin of ['https://evil.example', 'null', `${ALLOWED}.evil.example`, 'https://APP.example', '*']) {
    for (const [method, route] of [['GET', 'sse'] as const, ['OPTIONS', 'notify'] as const]) {
      const answer = await request(`${example.url}/${route}`, { method, headers: { ...session, Origin } });
      expect(answer.status, Origin).toBe(403);
      expect(answer.headers['access-control-allow-origin'], Origin).toBeUndefined();
      expect(answer.headers.vary).toContain('Origin');
    }
    expect((await postJson(`${example.url}/notify`, { data: 1 }, { ...session, Origin })).status).toBe(403);
  }
  const own = await openStream(`${example.url}/sse`, { headers: { ...session, Origin: example.url } });
  expect(own.status).toBe(200);
});

it('refuses a user id that is none with 400 and bad bodies with 4xx, and streams go on until SIGTERM', async () => {
  const example = await start();
  const session = await login(example);
  const stream = await liveAs(example, session);
  await expectBadBodiesRefused(`${example.url}/login`, [{ userId: '' }, { userId: null }, { userId: ['ann'] }]);
  await expectBadBodiesRefused(`${example.url}/notify`, [{ data: 1, event: 'two\nlines' }], session);
  await postJson(`${example.url}/notify`, { event: 'news', data: 1 }, session);
  await stream.event('news');
  example.signal('SIGTERM');
  await stream.event('server:shutdown');
});

describe.skipIf(lacksBrowser)('in a browser, from a page of another origin', () => {
  let browser: Browser;
  beforeAll(async () => {
    browser = await launchBrowser();
  });
  afterAll(() => browser?.close());

  /** A page of an origin of its own, which is allowed or not, and the example. */
  async function pageOf(isAllowed: boolean): Promise<{ page: Page; example: Example }> {
    const site = await serve((_req, res) => res.setHeader('Content-Type', 'text/html').end('<!doctype html>'));
    const origin = `http://localhost:${site.port}`;
    const example = await start({ ALLOWED_ORIGINS: isAllowed ? `${ALLOWED},${origin}` : ALLOWED });
    const page = await browser.newPage();
    atEnd(() => page.close());
    await page.goto(origin);
    return { page, example };
  }

  /** Logs in and listens, as such a page does; says what came of it. */
  const listen = ({ page, example }: { page: Page; example: Example }, withCredentials: boolean) =>
    page.evaluate(
      async ([url, withCredentials]) => {
        const post = (route: string, body: unknown) =>
          fetch(`${url}/${route}`, {
            method: 'POST',
            credentials: 'include',
            headers: { 'Content-Type': 'application/json' },
            body: JSON.stringify(body),
          });
        await post('login', { userId: 'ann' });
        const source = new EventSource(`${url}/sse`, { withCredentials });
        try {
          return await new Promise<string>((resolve) => {
            source.addEventListener('live', () => post('notify', { event: 'news', data: 'hello' }));
            source.addEventListener('news', (event) => {
              if (event instanceof MessageEvent) resolve(`heard ${event.data}`);
            });
            source.addEventListener('error', () => source.readyState === EventSource.CLOSED && resolve('refused'));
          });
        } finally {
          source.close();
        }
      },
      [example.url, withCredentials] as const,
    );

  it('an EventSource with credentials hears its user’s events, and one without is refused', async () => {
    const opened = await pageOf(true);
    expect(await listen(opened, true)).toBe('heard "hello"');
    expect(await listen(opened, false)).toBe('refused');
  });

  it('neither logs in nor hears anything where its origin is not allowed', async () => {
    const opened = await pageOf(false);
    expect(await listen(opened, true).catch(String)).toContain('Failed to fetch');
  });
});
