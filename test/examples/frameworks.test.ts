import { once } from 'node:events';
import { readFileSync } from 'node:fs';
import type { OutgoingHttpHeaders } from 'node:http';
import https from 'node:https';
import tls from 'node:tls';
import { afterAll, beforeAll, describe, expect, it } from 'vitest';
import { scripts } from '../../package.json';
import { atEnd } from '../helpers/cleanup.js';
import { readEvents } from '../helpers/client.js';
import { type Example, startCommand, startScript } from '../helpers/example.js';
import { program } from '../helpers/programs.js';
import { startRedis } from '../helpers/redis.js';
import { runtime } from '../helpers/runtimes.js';
import { requestsIn } from './api-http.js';
import { BAD_BODIES, BAD_USERS } from './refusals.js';
import { overHttp1, overHttp2, type Stream, type Transport } from './transport.js';

const redis = program('redis-server');

interface Particulars {
  /** Of the folder and of the script. */
  readonly name: string;
  readonly ownPort: number;
  /** What the script runs, when it is not the folder's `index.js`. */
  readonly file?: string;
  /** What runs the file, when it is not Node, and with which arguments before the file. */
  readonly runtime?: 'bun' | 'deno';
  readonly args?: readonly string[];
  readonly transport?: Transport;
  /** What a middleware or plugin of the framework sets on every answer to a request from elsewhere. */
  readonly headers?: Readonly<Record<string, string>>;
}

/** As the script has them. */
function denoArguments(): string[] {
  const [, args] =
    /npx -y deno@[\d.]+ (run --no-code-cache .*) examples\/deno\/index\.js/.exec(scripts['dev:deno']) ?? [];
  if (args === undefined)
    throw new Error('dev:deno has another form, or would run the compiled code of an older build');
  return args.split(' ');
}

const ALL: readonly Particulars[] = [
  { name: 'express', ownPort: 3000 },
  { name: 'koa', ownPort: 3010 },
  { name: 'fastify', ownPort: 3020, headers: { 'access-control-allow-origin': '*' } },
  { name: 'hapi', ownPort: 3030 },
  { name: 'nest', ownPort: 3040, file: 'dist/main.mjs' },
  { name: 'hono', ownPort: 3050, headers: { 'access-control-allow-origin': '*' } },
  { name: 'http', ownPort: 3060 },
  { name: 'http2', ownPort: 3443, transport: overHttp2 },
  { name: 'bun', ownPort: 3080, runtime: 'bun' },
  { name: 'deno', ownPort: 3090, runtime: 'deno', args: denoArguments() },
  { name: 'egg', ownPort: 7001 },
];

/** What runs them; npm has fetched it by then. */
const programs = { node: process.execPath, bun: await runtime('bun'), deno: await runtime('deno') };
const programOf = ({ runtime: name }: Particulars) => programs[name ?? 'node'];
const FRAMEWORKS = ALL.filter((each) => programOf(each) !== undefined);

/** Quick reconnects, told to each client first. */
const ENV = { SSE_RETRY_MS: '20' };

const json = { 'Content-Type': 'application/json' };

/** For what nobody tells of, on a machine that is busy. */
const PATIENT = { timeout: 40_000 };

const note = (n: number) => ({ event: 'note', data: { n } });

/** The numbers of the notes heard so far. */
const notes = ({ events }: Stream): number[] =>
  events.filter(({ event }) => event === 'note').map(({ data }) => JSON.parse(data).n);

const running = new Map<string, Example>();

// All at once: to start is most of what they cost.
beforeAll(async () => {
  const starting = FRAMEWORKS.map(async ({ name }) => running.set(name, await startScript(`dev:${name}`, ENV)));
  await Promise.all(starting);
});
afterAll(() => Promise.all([...running.values()].map((example) => example.stop())));

describe.each(FRAMEWORKS)('npm run dev:$name', ({ name, ownPort, file, transport, headers }) => {
  const { open, request } = transport ?? overHttp1;
  const urlOf = (path: string) => `${running.get(name)?.url}${path}`;

  const post = (path: string, value?: unknown) =>
    request(urlOf(path), {
      method: 'POST',
      ...(value === undefined ? {} : { headers: json, body: JSON.stringify(value) }),
    });
  const counts = async () => (await request(urlOf('/stats'))).json();

  /** Opens a stream and waits until it is live. */
  async function connect(query: string, own: OutgoingHttpHeaders = {}): Promise<Stream> {
    const stream = await open(urlOf(`/sse?${query}`), own);
    expect(stream.status).toBe(200);
    await stream.event('live');
    return stream;
  }

  /** Sends a last note to everyone, after which nothing sent before can still be on its way. */
  async function settled(...streams: Stream[]): Promise<void> {
    await post('/broadcast', note(-1));
    await Promise.all(streams.map((each) => each.until(() => notes(each).includes(-1))));
  }

  it('opens a stream, with its head and the settings of the environment', async () => {
    const stream = await connect('userId=ann', { Origin: 'http://elsewhere.test' });
    expect(stream.headers['content-type']).toBe('text/event-stream; charset=utf-8');
    expect(stream.headers).toMatchObject({ 'cache-control': 'no-cache, no-transform', ...headers });
    expect(stream.retries).toEqual([20]);
  });

  it('sends to a user, a room and everyone, and to nobody else', async () => {
    const phone = await connect('userId=to-ann&rooms=red,%20blue');
    const laptop = await connect('userId=to-ann');
    const other = await connect('userId=to-bob&rooms=blue');
    expect((await post('/notify/to-ann', note(1))).json()).toEqual({ reached: 2 });
    expect((await post('/room/red', note(2))).json()).toEqual({ reached: 1 });
    expect((await post('/room/blue', note(3))).json()).toEqual({ reached: 2 });
    const published = (await post('/publish-room/blue', note(4))).json();
    expect((await post('/broadcast', note(5))).json()).toMatchObject({ reached: expect.any(Number) });
    await settled(phone, laptop, other);
    expect(notes(phone)).toEqual([1, 2, 3, 4, 5, -1]);
    expect(notes(laptop)).toEqual([1, 5, -1]);
    expect(notes(other)).toEqual([3, 4, 5, -1]);
    expect(published).toEqual({ id: other.events.find(({ data }) => data.startsWith('{"n":4'))?.id });
  });

  it('takes a body without a data member as the data itself, and users and rooms of any name', async () => {
    for (const user of ['__proto__', 'jürgen 🦊', 'a/b?c', '*']) {
      const encoded = encodeURIComponent(user);
      const stream = await connect(`userId=${encoded}&rooms=${encoded}`);
      expect((await post(`/notify/${encoded}`, { text: user })).json()).toEqual({ reached: 1 });
      expect((await post(`/room/${encoded}`, [user])).json()).toEqual({ reached: 1 });
      await stream.until(() => stream.events.some(({ data }) => data === JSON.stringify([user])));
      expect(stream.events.some(({ data }) => data.startsWith(`{"text":${JSON.stringify(user)}`))).toBe(true);
      stream.close();
    }
  });

  it('resends to a client that comes back what it missed, in send order and once', async () => {
    const before = await connect('userId=back-ann&rooms=hall');
    await post('/notify/back-ann', note(1));
    const { id = '' } = await before.event('note');
    expect((await post('/close/back-ann')).json()).toEqual({ closed: 1 });
    await before.over;
    expect(before.ended).toBe(true);
    expect((await post('/notify/back-ann', note(2))).json()).toEqual({ reached: 0 });
    await post('/room/hall', note(3));
    await post('/broadcast', note(4));
    await post('/notify/back-bob', note(100));
    const after = await connect('userId=back-ann&rooms=hall', { 'Last-Event-ID': id });
    expect(notes(after)).toEqual([2, 3, 4]);
    expect(after.events.at(-1)?.data).toContain(JSON.stringify(id));
    await settled(after);
    expect(notes(after)).toEqual([2, 3, 4, -1]);
    expect(after.events.map(({ event }) => event)).not.toContain('server:gap');
  });

  it('forgets clients that leave', async () => {
    const streams = await Promise.all(['ann', 'ann', 'bob'].map((user) => connect(`userId=left-${user}&rooms=a,b`)));
    const present = await counts();
    expect(present.connections).toBeGreaterThanOrEqual(3);
    for (const stream of streams) stream.close();
    await expect.poll(counts, PATIENT).toMatchObject({ connections: 0, users: 0, rooms: 0 });
  });

  it('refuses bad input with a 4xx in JSON, and streams go on', async () => {
    const stream = await connect('userId=bad-ann&rooms=a');
    const refused = async (what: string, path: string, options?: Parameters<typeof request>[1]) => {
      const { status, json: read } = await request(urlOf(path), options);
      expect(read(), what).toMatchObject({ error: expect.any(String) });
      return status;
    };
    for (const query of BAD_USERS) expect(await refused(query, `/sse${query}`), query).toBe(400);
    for (const path of ['/notify/bad-ann', '/room/a', '/broadcast', '/publish-room/a']) {
      for (const [what, status, options] of BAD_BODIES) {
        expect(await refused(what, path, { ...options, method: 'POST' }), `${what} to ${path}`).toBe(status);
      }
      const body = '{"event":"a\\ndata: forged","data":1}';
      expect(await refused(body, path, { method: 'POST', headers: json, body })).toBe(400);
    }
    for (const path of ['/nothing', '/notify', '/room/a/b']) {
      expect(await refused(path, path, { method: 'POST', headers: json, body: '{"data":1}' }), path).toBe(404);
    }
    // Some frameworks refuse it, for others it is a name like any other.
    const undecodable = await request(urlOf('/notify/%E0%A4%A'), { method: 'POST', headers: json, body: '{"data":1}' });
    expect([200, 400, 404]).toContain(undecodable.status);
    await settled(stream);
    expect(notes(stream)).toEqual([-1]);
  });

  it('takes each request of its api.http, at its own port', async () => {
    const { host, requests } = requestsIn(readFileSync(`examples/${name}/api.http`, 'utf8'));
    expect(new URL(host).port).toBe(String(ownPort));
    expect(requests.length).toBeGreaterThan(7);
    for (const { method, path, headers: own, body } of requests) {
      if (path.startsWith('/sse')) {
        const stream = await open(urlOf(path), own);
        expect(stream.status, path).toBe(200);
        await stream.event('live');
      } else {
        const { status } = await request(urlOf(path), { method, headers: own, ...(body === '' ? {} : { body }) });
        expect(status, path).toBe(200);
      }
    }
  });

  it('is described as it is', () => {
    const readme = readFileSync(`examples/${name}/README.md`, 'utf8');
    expect(readme).toContain(`npm run ${name === 'express' ? 'demo' : `dev:${name}`}\n`);
    expect(readme).toContain(`localhost:${ownPort}`);
    expect(readFileSync(`examples/${name}/${file === undefined ? 'index.js' : 'src/main.mts'}`, 'utf8')).toMatch(
      new RegExp(`\\b${ownPort}\\b`),
    );
  });
});

describe('all of them', () => {
  /** Each once more, without npm, whose own way to end would hide theirs. */
  async function startAll(env: Readonly<Record<string, string>>) {
    const starting = FRAMEWORKS.map(async (each) => {
      const { name, file = 'index.js', transport = overHttp1, args = [] } = each;
      const program = programOf(each) ?? '';
      const example = await startCommand(program, [...args, `examples/${name}/${file}`], { ...ENV, ...env });
      atEnd(example.stop);
      return { name, example, transport };
    });
    return Promise.all(starting);
  }

  async function openAt({ example, transport }: Awaited<ReturnType<typeof startAll>>[number]): Promise<Stream> {
    const stream = await transport.open(`${example.url}/sse?userId=ann&rooms=hall`);
    await stream.event('live');
    return stream;
  }

  it('end by SIGTERM with code 0, after they have told their clients', async () => {
    const all = await startAll({});
    const ends = all.map(async (each) => {
      const stream = await openAt(each);
      each.example.signal('SIGTERM');
      await stream.event('server:shutdown');
      await stream.over;
      return { name: each.name, ended: stream.ended, ...(await each.example.over) };
    });
    expect(await Promise.all(ends)).toEqual(
      FRAMEWORKS.map(({ name }) => ({ name, ended: true, code: 0, signal: null })),
    );
  });

  it.skipIf(redis.skip)('reach the clients of each other on the channel of the environment, in one order', async () => {
    const { url, client } = await startRedis();
    const observer = client();
    const all = await startAll({ REDIS_URL: url, SSE_CHANNEL: 'frameworks' });
    await expect.poll(() => observer.pubsub('NUMSUB', 'frameworks'), PATIENT).toEqual(['frameworks', all.length]);
    const streams = await Promise.all(all.map(openAt));
    for (const [index, { example, transport }] of all.entries()) {
      const options = { method: 'POST', headers: json, body: JSON.stringify(note(index)) };
      expect((await transport.request(`${example.url}/publish-room/hall`, options)).status).toBe(200);
    }
    await Promise.all(streams.map((each) => each.until(() => notes(each).length >= all.length)));
    for (const stream of streams) expect(notes(stream)).toEqual([...all.keys()]);
  });
});

describe('npm run dev:http2', () => {
  const address = () => new URL(running.get('http2')?.url ?? '');

  it('has a certificate that is right for localhost, and serves HTTP/1.1 with it too', async () => {
    const { port } = address();
    const seen = tls.connect({ port: Number(port), rejectUnauthorized: false });
    atEnd(() => seen.destroy());
    await once(seen, 'secureConnect');
    const ca = `-----BEGIN CERTIFICATE-----\n${seen.getPeerCertificate().raw.toString('base64')}\n-----END CERTIFICATE-----\n`;
    for (const host of ['localhost', '127.0.0.1']) {
      const request = https.get({ host, port, path: '/sse?userId=ann', ca, agent: false });
      atEnd(() => request.destroy());
      const [response] = await once(request, 'response');
      expect(response.httpVersion).toBe('1.1');
      await readEvents(response).event('live');
    }
  });
});

// Last, since nothing runs after it.
it('leave no process when a whole group is told to end, npm as well', async () => {
  for (const example of running.values()) example.signal('SIGTERM');
  await Promise.all([...running.values()].map((example) => example.over));
  for (const { url } of running.values())
    await expect(overHttp1.request(url.replace('https', 'http'))).rejects.toThrow('ECONNREFUSED');
});
