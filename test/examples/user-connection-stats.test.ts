import { readFileSync } from 'node:fs';
import { afterAll, beforeAll, beforeEach, describe, expect, it } from 'vitest';
import { lacksBrowser, launchBrowser } from '../helpers/browser.js';
import { atEnd } from '../helpers/cleanup.js';
import { openStream, type StreamReader } from '../helpers/client.js';
import { type Example, postJson, request, startFile, startScript } from '../helpers/example.js';
import { requestsIn } from './api-http.js';
import { expectBadBodiesRefused, expectBadUsersRefused, liveStream } from './refusals.js';

interface State {
  users: Record<string, number>;
  stats: Record<string, unknown>;
}

const states = ({ events }: StreamReader): State[] =>
  events.filter(({ event }) => event === 'state').map(({ data }) => JSON.parse(data));

/** Resolves when the last state shown is of these users. */
async function shows(watching: StreamReader, users: Record<string, number>): Promise<State> {
  const inOrder = (counts: Record<string, number>) => JSON.stringify(Object.entries(counts).sort());
  let shown: State | undefined;
  await watching.until(() => {
    shown = states(watching).at(-1);
    return shown !== undefined && inOrder(shown.users) === inOrder(users);
  });
  if (shown === undefined) throw new Error('there is no state');
  return shown;
}

describe('npm run dev:user-connection-stats', () => {
  let example: Example;
  beforeAll(async () => {
    example = await startScript('dev:user-connection-stats');
  });
  afterAll(() => example.stop());

  const users = async () => (await request(`${example.url}/users`)).json();

  // Clients of the test before may still be on their way out.
  beforeEach(() => expect.poll(users, { timeout: 40_000 }).toEqual({}));

  it('serves its page and what the page asks for', async () => {
    const page = await request(`${example.url}/`);
    expect(page.type).toContain('text/html');
    const files = [...page.text.matchAll(/(?:href|src)="([\w.]+)"/g)].map(([, file]) => file);
    expect(files).toEqual(['style.css', 'page.js']);
    for (const file of files) expect((await request(`${example.url}/${file}`)).status, file).toBe(200);
  });

  it('shows who comes and goes, as it happens, and not those who look', async () => {
    const watching = await openStream(`${example.url}/watch`);
    await shows(watching, {});
    const phone = await liveStream(`${example.url}/sse?userId=ann`);
    await shows(watching, { ann: 1 });
    await liveStream(`${example.url}/sse?userId=ann`);
    await liveStream(`${example.url}/sse?userId=__proto__`);
    const state = await shows(watching, JSON.parse('{ "ann": 2, "__proto__": 1 }'));
    expect(state.stats).toMatchObject({ connections: 3, users: 2 });
    expect(await users()).toEqual(state.users);
    const ann = (await request(`${example.url}/users/ann`)).json();
    expect(ann).toMatchObject({ online: true, connections: 2 });
    expect(ann.connIds).toHaveLength(2);
    phone.close();
    await shows(watching, JSON.parse('{ "ann": 1, "__proto__": 1 }'));
    const nobody = await request(`${example.url}/users/bob`);
    expect(nobody.json()).toEqual({ online: false, connections: 0, connIds: [] });
  });

  it('shows what was sent', async () => {
    const watching = await openStream(`${example.url}/watch`);
    await shows(watching, {});
    const stream = await liveStream(`${example.url}/sse?userId=ann`);
    await postJson(`${example.url}/notify/ann`, { event: 'note', data: 1 });
    await stream.event('note');
    const sent = Number((await request(`${example.url}/stats`)).json().sent);
    expect(sent).toBeGreaterThan(0);
    await watching.until(() => states(watching).at(-1)?.stats.sent === sent);
  });

  it('tells who looks again the state, and of no gap', async () => {
    const before = await openStream(`${example.url}/watch`);
    await shows(before, {});
    expect(before.lastEventId).toBe('');
    before.close();
    await liveStream(`${example.url}/sse?userId=ann`);
    const again = await openStream(`${example.url}/watch`);
    await shows(again, { ann: 1 });
    expect(again.events.map(({ event }) => event)).not.toContain('server:gap');
  });

  it.skipIf(lacksBrowser)('fills its tables as clients come and go, with names as text', async () => {
    const browser = await launchBrowser();
    atEnd(() => browser.close());
    const page = await browser.newPage();
    const problems: string[] = [];
    page.on('pageerror', ({ message }) => problems.push(message));
    await page.goto(example.url);
    await page.getByRole('status').getByText('live', { exact: true }).waitFor();
    const rows = page.locator('#users tr');
    const name = '<b>ann</b>';
    await page.getByLabel('User').fill(name);
    for (const count of ['1', '2']) {
      await page.getByRole('button', { name: 'Open a stream' }).click();
      await rows.getByRole('cell', { name: count, exact: true }).waitFor();
    }
    expect(await rows.allTextContents()).toEqual([`${name}2`]);
    await page.getByRole('button', { name: 'Close the last' }).click();
    await rows.getByRole('cell', { name: '1', exact: true }).waitFor();
    expect(await page.locator('#stats tr', { hasText: 'connections' }).first().textContent()).toBe('connections1');
    expect(problems).toEqual([]);
  });

  it('refuses bad input with a 4xx, and streams go on', async () => {
    const stream = await liveStream(`${example.url}/sse?userId=ann`);
    await expectBadUsersRefused(`${example.url}/sse`);
    for (const route of ['notify/ann', 'room/a', 'broadcast']) {
      await expectBadBodiesRefused(`${example.url}/${route}`, [{ data: 1, event: 'two\nlines' }]);
    }
    expect((await request(`${example.url}/nothing`)).status).toBe(404);
    await postJson(`${example.url}/notify/ann`, { event: 'note', data: 1 });
    await stream.event('note');
  });

  it('takes each request of its api.http, at its own port', async () => {
    const folder = 'examples/user-connection-stats';
    const { host, requests } = requestsIn(readFileSync(`${folder}/api.http`, 'utf8'));
    expect(host).toBe('http://localhost:3070');
    for (const file of ['README.md', 'index.js']) expect(readFileSync(`${folder}/${file}`, 'utf8')).toContain('3070');
    expect(requests.length).toBeGreaterThan(5);
    for (const { method, path, headers, body } of requests) {
      const url = example.url + path;
      // The first event of a stream, or the whole of any other answer.
      if (/^\/(?:watch|sse)/.test(path)) await liveStream(url);
      else expect((await request(url, { method, headers, ...(body === '' ? {} : { body }) })).status, path).toBe(200);
    }
  });

  it('ends by SIGTERM with code 0, after it has told those who look too', async () => {
    const ending = await startFile('examples/user-connection-stats/index.js');
    atEnd(ending.stop);
    const streams = [await liveStream(`${ending.url}/sse?userId=ann`), await liveStream(`${ending.url}/watch`)];
    ending.signal('SIGTERM');
    for (const stream of streams) await stream.event('server:shutdown');
    expect(await ending.over).toEqual({ code: 0, signal: null });
  });
});
