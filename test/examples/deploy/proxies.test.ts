import { readFileSync } from 'node:fs';
import { describe, expect, it } from 'vitest';
import { atEnd } from '../../helpers/cleanup.js';
import { subscribe } from '../../helpers/event-source.js';
import { type Example, postJson, request, startFile } from '../../helpers/example.js';
import { program } from '../../helpers/programs.js';
import { startCaddy, startNginx } from '../../helpers/proxy-program.js';
import { freePort, startRedis } from '../../helpers/redis.js';
import { liveStream, subscribed } from '../refusals.js';

const nginx = program('nginx');
const caddy = program('caddy');
const redis = program('redis-server');

/** A file of the example with some of its words replaced, each of which must be there. */
function adapted(file: string, replacements: Readonly<Record<string, string>>): string {
  let text = readFileSync(`examples/deploy/${file}`, 'utf8');
  for (const [from, to] of Object.entries(replacements)) {
    expect(text, file).toContain(from);
    text = text.replaceAll(from, to);
  }
  return text;
}

interface Proxy {
  url: string;
  /** What it logged of requests; `''` where it logs none. */
  log(): string;
}

type StartProxy = (ports: readonly string[]) => Promise<Proxy>;

const proxies: [string, boolean, StartProxy][] = [
  [
    'nginx',
    nginx.skip,
    async (ports) => {
      const port = await freePort();
      let log = '';
      await startNginx(nginx.path, port, (dir) => {
        log = `${dir}/access.log`;
        const server = '    server app:3000 max_fails=1 fail_timeout=2s;';
        return adapted('nginx.conf', {
          '/tmp/': `${dir}/`,
          '/dev/stderr': `${dir}/error.log`,
          '/dev/stdout': log,
          'listen 8080': `listen 127.0.0.1:${port}`,
          [server]: ports.map((each) => server.replace('app:3000', `127.0.0.1:${each}`)).join('\n'),
        });
      });
      return { url: `http://127.0.0.1:${port}`, log: () => readFileSync(log, 'utf8') };
    },
  ],
  [
    'Caddy',
    caddy.skip,
    async (ports) => {
      const port = await freePort();
      const caddyfile = adapted('Caddyfile', {
        ':8080 {': `http://127.0.0.1:${port} {`,
        'app-1:3000 app-2:3000': ports.map((each) => `127.0.0.1:${each}`).join(' '),
        'health_interval 2s': 'health_interval 200ms',
      });
      // Without the interface that changes it at run time, of which there is one for all on a machine.
      await startCaddy(caddy.path, port, `{\n\tadmin off\n}\n${caddyfile}`);
      return { url: `http://127.0.0.1:${port}`, log: () => '' };
    },
  ],
];

const readiness = async ({ url }: Example) => {
  const answer = await request(`${url}/readyz`);
  return { code: answer.status, ...answer.json() };
};

describe.each(proxies)('two instances behind %s', (_, skip, startProxy) => {
  async function start() {
    const { url } = await startRedis();
    const env = {
      REDIS_URL: url,
      SSE_RETRY_MS: '20',
      SSE_RECENT_BUFFER: '1000',
      SSE_KEEPALIVE_MS: '200',
      GRACE_MS: '1000',
    };
    const instances = await Promise.all([1, 2].map(() => startFile('examples/deploy/server.js', env)));
    for (const instance of instances) {
      atEnd(instance.stop);
      await subscribed(instance);
    }
    const [one, other] = instances;
    if (one === undefined || other === undefined) throw new Error('two were started');
    const proxy = await startProxy([one, other].map((each) => new URL(each.url).port));
    return { one, other, proxy };
  }

  it.skipIf(skip || redis.skip)('share the streams, through which events and heartbeats come at once', async () => {
    const { one, other, proxy } = await start();
    const streams = await Promise.all(
      ['ann', 'bob', 'cid', 'dan'].map((user) => liveStream(`${proxy.url}/sse?userId=${user}&rooms=desk&token=s3cret`)),
    );
    const counts = await Promise.all(
      [one, other].map(async (each) => Reflect.get(await readiness(each), 'connections')),
    );
    expect(counts).toEqual([2, 2]);
    expect((await postJson(`${proxy.url}/broadcast`, { event: 'news', data: 1 })).status).toBe(200);
    await Promise.all(streams.map((stream) => stream.event('news')));
    await Promise.all(streams.map((stream) => stream.until(({ comments }) => comments.length > 1)));
    for (const path of ['healthz', 'readyz', 'stats']) {
      expect((await request(`${proxy.url}/${path}`)).status, path).toBe(404);
    }
    expect(proxy.log()).not.toContain('s3cret');
  });

  it.skipIf(skip || redis.skip)('are awaited by the clients when neither can be reached', async () => {
    const { one, other, proxy } = await start();
    const client = subscribe(`${proxy.url}/sse?userId=ann`, ['live']);
    await client.event('live');
    for (const each of [one, other]) {
      each.signal('SIGKILL');
      await each.over;
    }
    // The stream broke off, and it came again.
    await client.until(({ losses }) => losses > 1);
    const answer = await request(`${proxy.url}/sse?userId=ann`);
    expect(answer).toMatchObject({ status: 200, type: 'text/event-stream', text: 'retry: 3000\n\n' });
    expect((await postJson(`${proxy.url}/broadcast`, { data: 1 })).status).toBeGreaterThanOrEqual(502);
  });

  it.skipIf(skip || redis.skip)('let go of one, whose clients move to the other and miss nothing', async () => {
    const { one, other, proxy } = await start();
    const users = ['ann', 'bob', 'cid', 'dan'];
    const clients = users.map((user) => subscribe(`${proxy.url}/sse?userId=${user}`, ['live', 'news']));
    await Promise.all(clients.map((client) => client.event('live')));
    let sent = 0;
    const publish = async (count: number) => {
      for (const end = sent + count; sent < end; sent += 1) {
        await postJson(`${other.url}/broadcast`, { event: 'news', data: sent });
      }
    };
    await publish(10);
    one.signal('SIGUSR2');
    await expect.poll(() => readiness(one)).toMatchObject({ code: 503, draining: true, connections: 2 });
    expect((await request(`${one.url}/healthz`)).status).toBe(200);
    await publish(10);
    // Nobody was sent away yet, and who is new finds the other.
    expect(clients.map(({ losses }) => losses)).toEqual([0, 0, 0, 0]);
    const late = subscribe(`${proxy.url}/sse?userId=eve`, ['live', 'news']);
    await late.event('live');
    expect(await readiness(one)).toMatchObject({ connections: 2 });
    one.signal('SIGTERM');
    const publishing = publish(30);
    expect(await one.over).toEqual({ code: 0, signal: null });
    await publishing;
    await expect.poll(() => readiness(other), { timeout: 20_000 }).toMatchObject({ code: 200, connections: 5 });
    await publish(10);
    const all = Array.from({ length: sent }, (_, n) => n);
    await Promise.all(clients.map((client) => client.until(() => client.data('news').length >= sent)));
    for (const client of clients) expect(client.data('news')).toEqual(all);
  });
});
