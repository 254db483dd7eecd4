import { expect } from 'vitest';
import { atEnd } from '../helpers/cleanup.js';
import { openStream, type StreamClient } from '../helpers/client.js';
import { type Example, type RequestOptions, request, startFile } from '../helpers/example.js';

const json = { 'Content-Type': 'application/json' };

/** Bodies that no route of any example takes. */
export const BAD_BODIES: readonly [string, number, RequestOptions][] = [
  ['no body', 415, {}],
  ['a body of another type', 415, { headers: { 'Content-Type': 'text/plain' }, body: '{"data":1}' }],
  ['a body that is not JSON', 400, { headers: json, body: '{"data":' }],
  ['a body over the limit', 413, { headers: json, body: JSON.stringify({ data: 'x'.repeat(70_000) }) }],
];

/** Those that a route refuses which asks for members. */
const BODIES_WITHOUT_MEMBERS: readonly [string, number, RequestOptions][] = [
  ['JSON that is no object', 400, { headers: json, body: '[1]' }],
  ['an empty object', 400, { headers: json, body: '{}' }],
];

/** Queries without a user, or with one that is none. */
export const BAD_USERS: readonly string[] = ['', '?userId=', '?userId=a&userId=b', '?userId[]=a', '?userId[a]=b'];

async function expectRefused(what: string, status: number, url: string, options?: RequestOptions): Promise<void> {
  const answer = await request(url, options);
  expect(answer.status, what).toBe(status);
  expect(answer.json(), what).toMatchObject({ error: expect.any(String) });
}

/** Sends what routes that take a body must refuse, and `also` what this one must; `credentials` are headers. */
export async function expectBadBodiesRefused(
  url: string,
  also: readonly unknown[] = [],
  credentials: Readonly<Record<string, string>> = {},
): Promise<void> {
  const post = (what: string, status: number, { headers, ...rest }: RequestOptions) =>
    expectRefused(`${what} to ${url}`, status, url, {
      ...rest,
      headers: { ...headers, ...credentials },
      method: 'POST',
    });
  for (const [what, status, options] of [...BAD_BODIES, ...BODIES_WITHOUT_MEMBERS]) await post(what, status, options);
  for (const value of also) {
    const body = JSON.stringify(value);
    await post(body, 400, { headers: json, body });
  }
}

/** Asks for streams without a user, or with one that is none. */
export async function expectBadUsersRefused(streams: string): Promise<void> {
  for (const query of BAD_USERS) {
    await expectRefused(`a stream of ${query}`, 400, streams + query);
  }
}

/** A stream that is live. */
export async function liveStream(url: string): Promise<StreamClient> {
  const stream = await openStream(url);
  await stream.event('live');
  return stream;
}

/** Waits until an example's hub is subscribed to its channel. */
export async function subscribed(example: Example): Promise<void> {
  const state = async () => Reflect.get(Object((await request(`${example.url}/stats`)).json().bus), 'state');
  await expect.poll(state, { timeout: 40_000 }).toBe('up');
}

/** Starts the file, and tells it to end while it has a stream, if `streams` says where: it tells the client, and exits with 0. */
export async function expectCleanEnd(
  file: string,
  env: Readonly<Record<string, string>>,
  streams?: string,
): Promise<void> {
  const example = await startFile(`examples/express/${file}`, env);
  atEnd(example.stop);
  const stream = streams === undefined ? undefined : await liveStream(example.url + streams);
  example.signal('SIGTERM');
  await stream?.event('server:shutdown');
  expect(await example.over).toEqual({ code: 0, signal: null });
}
