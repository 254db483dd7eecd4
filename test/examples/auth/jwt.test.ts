import { randomBytes } from 'node:crypto';
import { EventSource } from 'eventsource';
import { SignJWT, UnsecuredJWT } from 'jose';
import { expect, it } from 'vitest';
import { atEnd } from '../../helpers/cleanup.js';
import { type Example, postJson, request, startFile, startScript } from '../../helpers/example.js';
import { expectBadBodiesRefused, liveStream } from '../refusals.js';

const SECRET = randomBytes(32).toString('hex');
const BAD_USERS = [{ userId: '' }, { userId: null }, { userId: {} }, { userId: ['ann'] }];

async function start(env: Readonly<Record<string, string>> = {}): Promise<Example> {
  const example = await startScript('dev:auth:jwt', { JWT_SECRET: SECRET, SSE_RETRY_MS: '20', ...env });
  atEnd(example.stop);
  return example;
}

const bearer = (token: unknown) => ({ Authorization: `Bearer ${token}` });

async function login({ url }: Example, userId = 'ann'): Promise<{ Authorization: string }> {
  const answer = await postJson(`${url}/login`, { userId });
  return bearer(answer.json().accessToken);
}

async function streamToken({ url }: Example, access: { Authorization: string }): Promise<string> {
  const answer = await postJson(`${url}/stream-token`, {}, access);
  expect(answer).toMatchObject({ status: 200, headers: { 'cache-control': 'no-store' } });
  return String(answer.json().token);
}

/** A token as the example makes them, but for what is given. */
function forged({ key = SECRET, audience = 'stream', issuer = 'ssekify-example', subject = 'ann', expires = '5 min' }) {
  return new SignJWT()
    .setProtectedHeader({ alg: 'HS256' })
    .setIssuer(issuer)
    .setAudience(audience)
    .setSubject(subject)
    .setExpirationTime(expires)
    .sign(Buffer.from(key));
}

it('lets in who has a stream token, as the user it names and nobody else', async () => {
  const example = await start();
  const access = await login(example);
  const token = await streamToken(example, access);
  const ann = await liveStream(`${example.url}/sse?token=${token}&userId=bob`);
  const bobs = await login(example, 'bob');
  const bob = await liveStream(`${example.url}/sse?token=${await streamToken(example, bobs)}`);
  expect((await postJson(`${example.url}/notify`, { event: 'news', data: 1 }, access)).status).toBe(200);
  expect(JSON.parse((await ann.event('news')).data)).toBe(1);
  await postJson(`${example.url}/notify`, { event: 'news', data: 2 }, bobs);
  await bob.event('news');
  expect(bob.events.map(({ event }) => event)).toEqual(['live', 'expires', 'news']);
  expect(JSON.parse((await bob.event('expires')).data)).toMatchObject({ userId: 'bob' });
  expect(JSON.parse((await bob.event('news')).data)).toBe(2);
  expect(example.output).not.toContain(token);
});

it('refuses tokens that are missing, doubled, forged, expired, for something else, or of nobody, with 401', async () => {
  const example = await start();
  const { Authorization } = await login(example);
  const unsigned = new UnsecuredJWT().setIssuer('ssekify-example').setAudience('stream').setSubject('ann');
  const good = await forged({});
  const tokens = {
    missing: '',
    empty: '?token=',
    'given twice': `?token=${good}&token=${good}`,
    'not a token': '?token=abc',
    'of another key': `?token=${await forged({ key: 'x'.repeat(64) })}`,
    unsigned: `?token=${unsigned.setExpirationTime('5 min').encode()}`,
    expired: `?token=${await forged({ expires: '1 s ago' })}`,
    'of another issuer': `?token=${await forged({ issuer: 'somebody' })}`,
    'for the API': `?token=${Authorization.slice('Bearer '.length)}`,
    'of nobody': `?token=${await forged({ subject: '' })}`,
  };
  for (const [what, query] of Object.entries(tokens)) {
    const answer = await request(`${example.url}/sse${query}`);
    expect(answer.status, what).toBe(401);
    expect(answer.json(), what).toMatchObject({ error: expect.any(String) });
  }
  // The same, but whole.
  await liveStream(`${example.url}/sse?token=${good}`);
  const forApi = { data: 1 };
  for (const headers of [{}, bearer(good), bearer('abc'), { Authorization: 'Basic YTpi' }]) {
    expect((await postJson(`${example.url}/stream-token`, {}, headers)).status).toBe(401);
    expect((await postJson(`${example.url}/notify`, forApi, headers)).status).toBe(401);
  }
});

it('ends the stream when its token expires; a new one goes on where it ended', async () => {
  const example = await start({ STREAM_TOKEN_SECONDS: '2' });
  const access = await login(example);
  const source = new EventSource(`${example.url}/sse?token=${await streamToken(example, access)}`);
  atEnd(() => source.close());
  const heard = new Promise<MessageEvent>((resolve) => source.addEventListener('news', resolve));
  await new Promise((resolve) => source.addEventListener('live', resolve, { once: true }));
  await postJson(`${example.url}/notify`, { event: 'news', data: 'before' }, access);
  const { lastEventId } = await heard;
  // It comes back by itself, with the same URL, until the token is no good any more; that is final.
  const status = await new Promise<number | undefined>((resolve) => {
    source.addEventListener('error', ({ code }) => {
      if (source.readyState === source.CLOSED) resolve(code);
    });
  });
  expect(status).toBe(401);
  await postJson(`${example.url}/notify`, { event: 'news', data: 'meanwhile' }, access);
  const query = new URLSearchParams({ token: await streamToken(example, access), lastEventId });
  const back = await liveStream(`${example.url}/sse?${query}`);
  expect(back.events.map(({ event, data }) => [event, JSON.parse(data)])[0]).toEqual(['news', 'meanwhile']);
});

it('refuses a user id that is none with 400 and bad bodies with 4xx, and streams go on', async () => {
  const example = await start();
  const access = await login(example);
  const ann = await liveStream(`${example.url}/sse?token=${await streamToken(example, access)}`);
  await expectBadBodiesRefused(`${example.url}/login`, BAD_USERS);
  await expectBadBodiesRefused(`${example.url}/notify`, [{ data: 1, event: 'two\nlines' }], access);
  await postJson(`${example.url}/notify`, { event: 'news', data: 'still here' }, access);
  await ann.event('news');
  example.signal('SIGTERM');
  await ann.event('server:shutdown');
});

it('does not start with a secret that can be guessed', async () => {
  await expect(startFile('examples/auth/jwt.mjs', { JWT_SECRET: 'short' })).rejects.toThrow(
    'JWT_SECRET has 5 bytes: expected at least 32',
  );
});
