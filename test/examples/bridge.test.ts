import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { describe, expect, it } from 'vitest';
import { atEnd } from '../helpers/cleanup.js';
import { openStream, type StreamClient } from '../helpers/client.js';
import { type Example, request, startFile, startScript } from '../helpers/example.js';
import { serve } from '../helpers/server.js';
import { lacksUpstream, startUpstream } from '../helpers/upstream.js';
import { expectBadUsersRefused, expectCleanEnd, liveStream } from './refusals.js';

type Environment = Readonly<Record<string, string>>;

async function startBridge(kind: 'basic' | 'lazy' | 'egg', url: string, env: Environment = {}): Promise<Example> {
  const example = await startScript(`dev:bridge:${kind}`, { PY_SSE_URL: url, UPSTREAM_RETRY_MS: '50', ...env });
  atEnd(example.stop);
  return example;
}

const health = async (example: Example): Promise<Record<string, unknown>> => {
  const answer = await request(`${example.url}/health`);
  return { code: answer.status, ...answer.json() };
};

const isOpen = (example: Example) =>
  expect
    .poll(() => health(example), { timeout: 20_000 })
    .toMatchObject({ code: 200, status: 'ok', upstream: { state: 'open', problem: null } });

const ticks = ({ events }: StreamClient): { n: number; userId?: string }[] =>
  events.filter(({ event }) => event === 'tick').map(({ data }) => JSON.parse(data));

const hasTicks = (stream: StreamClient, count: number) => stream.until(() => ticks(stream).length >= count);

/** Whether each follows the one before: nothing lost, nothing twice. */
const areConsecutive = (numbers: number[]) =>
  numbers.every((n, index) => index === 0 || n === Number(numbers[index - 1]) + 1);

const python = lacksUpstream();

describe.skipIf(python).each(['basic', 'egg'] as const)('npm run dev:bridge:%s', (kind) => {
  it('is connected before anybody listens, and passes on to everyone', async () => {
    const upstream = await startUpstream();
    const bridge = await startBridge(kind, upstream.url);
    await isOpen(bridge);
    expect(await upstream.streams()).toBe(1);
    const [ann, bob] = [
      await liveStream(`${bridge.url}/sse?userId=ann`),
      await liveStream(`${bridge.url}/sse?userId=bob`),
    ];
    await Promise.all([hasTicks(ann, 3), hasTicks(bob, 3)]);
    expect(ticks(ann)[0]).toEqual({ n: expect.any(Number), timestamp: expect.any(String) });
    expect(areConsecutive(ticks(ann).map(({ n }) => n))).toBe(true);
    // However many listen, the upstream has one stream.
    expect(await upstream.streams()).toBe(1);
  });

  it('sends to the user of UPSTREAM_TO alone, whom the upstream names', async () => {
    const upstream = await startUpstream();
    const bridge = await startBridge(kind, upstream.url, { UPSTREAM_TO: 'ann' });
    const [bob, ann] = [
      await liveStream(`${bridge.url}/sse?userId=bob`),
      await liveStream(`${bridge.url}/sse?userId=ann`),
    ];
    await hasTicks(ann, 5);
    expect(new Set(ticks(ann).map(({ userId }) => userId))).toEqual(new Set(['ann']));
    expect(ticks(bob)).toEqual([]);
  });

  it('misses nothing while the upstream is away and its own connection is lost', async () => {
    const upstream = await startUpstream();
    const bridge = await startBridge(kind, upstream.url);
    const ann = await liveStream(`${bridge.url}/sse?userId=ann`);
    await hasTicks(ann, 3);
    await upstream.kill();
    // Each try is later than the one before.
    await expect.poll(async () => Reflect.get(Object((await health(bridge)).upstream), 'failures')).toBeGreaterThan(2);
    expect(await health(bridge)).toMatchObject({
      code: 503,
      status: 'degraded',
      upstream: { problem: 'ECONNREFUSED' },
    });
    const before = ticks(ann).length;
    await upstream.start();
    await hasTicks(ann, before + 3);
    expect(areConsecutive(ticks(ann).map(({ n }) => n))).toBe(true);
    await isOpen(bridge);
  });

  it('tells nobody its secrets, and comes in with a token that was renewed', async () => {
    const upstream = await startUpstream({ UPSTREAM_TOKEN: 'right-s3cret' });
    const dir = await mkdtemp(join(tmpdir(), 'ssekify-token-'));
    atEnd(() => rm(dir, { recursive: true, force: true }));
    const file = join(dir, 'token');
    await writeFile(file, 'wrong-s3cret\n');
    const bridge = await startBridge(kind, `${upstream.url}?key=url-s3cret`, { UPSTREAM_TOKEN_FILE: file });
    await expect.poll(async () => (await health(bridge)).upstream).toMatchObject({ problem: 'HTTP 401' });
    await writeFile(file, 'right-s3cret\n');
    await isOpen(bridge);
    expect(bridge.output).toContain('upstream: HTTP 401; again in ');
    expect(bridge.output + (await request(`${bridge.url}/health`)).text).not.toContain('s3cret');
  });

  it('refuses streams without a user', async () => {
    const bridge = await startBridge(kind, 'http://127.0.0.1:1/');
    await expectBadUsersRefused(`${bridge.url}/sse`);
  });
});

describe.skipIf(python)('the upstream in Python', () => {
  it('begins anew after an id that is no position of its own', async () => {
    const upstream = await startUpstream();
    for (const lastEventId of ['x', '1e3', '9'.repeat(5000)]) {
      const stream = await openStream(upstream.url, { lastEventId });
      expect((await stream.received(1))[0]?.id).toBe('1');
      stream.close();
    }
  });
});

describe('a bridge', () => {
  it.each(['http://', 'http://ann:s3cret@localhost:1/', ':s3cret'])(
    'does not start with the URL %s, nor shows it',
    async (url) => {
      const failure = await startFile('examples/express/bridge-basic.js', { PY_SSE_URL: url }).catch(String);
      expect(failure).toContain('the URL of the upstream');
      expect(failure).not.toContain('s3cret');
    },
  );

  it('drops what is for a user that is none, and passes on text that is no JSON', async () => {
    const source = await serve((_req, res) => {
      res.writeHead(200, { 'Content-Type': 'text/event-stream' });
      for (const userId of ['', null, {}]) res.write(`data: ${JSON.stringify({ userId, secret: true })}\n\n`);
      res.write('data: plain text\n\n');
    });
    const bridge = await startBridge('lazy', source.url);
    const ann = await liveStream(`${bridge.url}/sse?userId=ann`);
    await ann.until(({ events }) => events.some(({ data }) => data === 'plain text'));
    expect(ann.raw).not.toContain('secret');
    expect(await health(bridge)).toMatchObject({ forwarded: 1, dropped: 3 });
  });

  it('tries again, later each time, where an EventSource would give up', async () => {
    const times: number[] = [];
    const source = await serve((_req, res) => {
      times.push(performance.now());
      res.writeHead(times.length % 2 === 0 ? 503 : 200, { 'Content-Type': 'text/html' }).end();
    });
    const bridge = await startBridge('basic', source.url);
    await expect.poll(() => times.length, { timeout: 20_000 }).toBeGreaterThan(5);
    const [first = 0, second = 0] = times;
    expect(Number(times[5]) - Number(times[4])).toBeGreaterThan(second - first);
    expect(bridge.output).toMatch(/no event stream; again in \d+ ms[\s\S]*HTTP 503; again in \d+ ms/);
  });

  it.each(['soon', '-1', 'NaN'])('does not begin with UPSTREAM_RETRY_MS=%s, which would be no pause', async (value) => {
    const failure = await startBridge('basic', 'http://localhost:1/sse', { UPSTREAM_RETRY_MS: value }).catch(String);
    expect(failure).toContain(`UPSTREAM_RETRY_MS is ${value}: expected a number of at least 0`);
  });

  it('refuses streams without a user, and ends by SIGTERM with code 0', async () => {
    const source = await serve((_req, res) => {
      res.writeHead(200, { 'Content-Type': 'text/event-stream' }).flushHeaders();
    });
    const bridge = await startBridge('lazy', source.url);
    await expectBadUsersRefused(`${bridge.url}/sse`);
    for (const file of ['bridge-basic.js', 'bridge-lazy.js', '../egg-bridge/index.js']) {
      await expectCleanEnd(file, { PY_SSE_URL: source.url }, '/sse?userId=ann');
    }
  });
});

describe.skipIf(python)('npm run dev:bridge:lazy', () => {
  it('connects for the first client, and lets go when for a while there was none', async () => {
    const upstream = await startUpstream();
    const bridge = await startBridge('lazy', upstream.url, { BRIDGE_IDLE_GRACE_MS: '200' });
    expect(await health(bridge)).toMatchObject({
      code: 200,
      upstream: { state: 'closed', connects: 0 },
      connections: 0,
    });
    expect(await upstream.streams()).toBe(0);
    const ann = await liveStream(`${bridge.url}/sse?userId=ann`);
    const bob = await liveStream(`${bridge.url}/sse?userId=bob`);
    await Promise.all([hasTicks(ann, 2), hasTicks(bob, 2)]);
    expect(await upstream.streams()).toBe(1);
    ann.close();
    const count = ticks(bob).length;
    await hasTicks(bob, count + 20);
    expect(bridge.output).not.toContain('let go');
    bob.close();
    await expect.poll(() => bridge.output).toContain('upstream: nobody listens; let go');
    await expect.poll(() => upstream.streams()).toBe(0);
    expect(await health(bridge)).toMatchObject({
      code: 200,
      upstream: { state: 'closed', connects: 1 },
      connections: 0,
    });
    const back = await liveStream(`${bridge.url}/sse?userId=ann`);
    await hasTicks(back, 2);
    expect(await health(bridge)).toMatchObject({ upstream: { state: 'open', connects: 2 } });
  });

  it('stays connected when a client comes back within the grace', async () => {
    const upstream = await startUpstream();
    const bridge = await startBridge('lazy', upstream.url, { BRIDGE_IDLE_GRACE_MS: '5000' });
    const first = await liveStream(`${bridge.url}/sse?userId=ann`);
    await hasTicks(first, 1);
    first.close();
    await expect.poll(async () => (await health(bridge)).connections).toBe(0);
    const second = await liveStream(`${bridge.url}/sse?userId=ann`);
    await hasTicks(second, 2);
    expect(await health(bridge)).toMatchObject({ upstream: { state: 'open', connects: 1 } });
  });

  it('has a page, whose requests it answers', async () => {
    const bridge = await startBridge('lazy', 'http://127.0.0.1:1/');
    const page = await request(bridge.url);
    expect(page).toMatchObject({ status: 200, type: expect.stringContaining('text/html') });
    expect(page.text).toContain("new EventSource('sse?userId=ann')");
    expect(page.text).toContain("fetch('health')");
    expect((await health(bridge)).code).toBe(200);
  });
});
