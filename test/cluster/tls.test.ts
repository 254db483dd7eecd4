import { Redis } from 'ioredis';
import { createClient } from 'redis';
import { describe, expect, it } from 'vitest';
import { createIORedisAdapter, createNodeRedisAdapter, type RedisLike } from '../../src/index.js';
import { certificate, certificateFiles } from '../helpers/certificate.js';
import { runScript } from '../helpers/child.js';
import { atEnd } from '../helpers/cleanup.js';
import { openStream } from '../helpers/client.js';
import { collect } from '../helpers/emitted.js';
import { serveHub } from '../helpers/server.js';
import { startTlsRedis, type TlsRedisServer } from '../helpers/tls-redis.js';

const ca = certificate.cert;
const host = '127.0.0.1';

const targets: [string, (server: TlsRedisServer) => RedisLike][] = [
  ['ioredis, by options', ({ tlsPort: port }) => createIORedisAdapter({ host, port, tls: { ca } })],
  [
    'ioredis, by a client',
    ({ tlsUrl }) => {
      const client = new Redis(tlsUrl, { tls: { ca }, lazyConnect: true });
      atEnd(() => client.disconnect());
      return createIORedisAdapter(client);
    },
  ],
  ['redis, by options', ({ tlsUrl: url }) => createNodeRedisAdapter({ url, socket: { tls: true, ca } })],
  ['redis, by a client', ({ tlsUrl: url }) => createNodeRedisAdapter(createClient({ url, socket: { tls: true, ca } }))],
];

/** On which port of the server its clients are that subscribe, or that published last. */
async function portsOf(server: TlsRedisServer, isOurs: (client: string) => boolean): Promise<Set<string | undefined>> {
  const list = String(await server.client().call('CLIENT', 'LIST'))
    .trim()
    .split('\n');
  return new Set(list.filter(isOurs).map((client) => / laddr=127\.0\.0\.1:(\d+) /.exec(client)?.[1]));
}

describe.each(targets)('TLS to Redis with %s', (_, make) => {
  it('carries events and numbers between instances', async () => {
    const server = await startTlsRedis();
    const [a, b] = [await serveHub({ hub: { redis: make(server) } }), await serveHub({ hub: { redis: make(server) } })];
    await Promise.all([a.sse.ready(), b.sse.ready()]);
    const [ann, bob] = [await openStream(`${a.url}/ann`), await openStream(`${b.url}/bob`)];
    await a.sse.publishToUser('bob', { to: 'bob', requestId: 'k' });
    await b.sse.publishToUser('ann', { to: 'ann', requestId: 'k' });
    await b.sse.publishToAll({ to: 'all' });
    await Promise.all([ann.received(2), bob.received(2)]);
    const said = (stream: typeof ann) => stream.events.map(({ data }) => JSON.parse(data));
    expect(said(ann)).toMatchObject([{ to: 'ann', seq: 1 }, { to: 'all' }]);
    expect(said(bob)).toMatchObject([{ to: 'bob', seq: 0 }, { to: 'all' }]);
    expect(await portsOf(server, (client) => /cmd=(subscribe|publish|eval) /.test(client))).toEqual(
      new Set([String(server.tlsPort)]),
    );
  });
});

const adapters: [string, string, (url: string) => RedisLike][] = [
  ['ioredis', 'createIORedisAdapter', createIORedisAdapter],
  ['redis', 'createNodeRedisAdapter', createNodeRedisAdapter],
];

describe.each(adapters)('a rediss:// URL with %s', (_, name, make) => {
  it('is all it takes where the process trusts the certificate', async () => {
    const server = await startTlsRedis();
    const script = `
      import { once } from 'node:events';
      import { ${name} as adapter, SSEKify } from 'ssekify';
      const [a, b] = [1, 2].map(() => new SSEKify({ redis: adapter('${server.tlsUrl}') }));
      await Promise.all([a.ready(), b.ready()]);
      const heard = once(b, 'publish');
      await a.publishToUser('ann', { hello: 'over TLS' });
      const [{ type, target, data }] = await heard;
      console.log(JSON.stringify({ type, target, hello: data.hello }));
      await Promise.all([a.shutdown(), b.shutdown()]);
    `;
    const { stdout, stderr, code } = await runScript(script, { env: { NODE_EXTRA_CA_CERTS: certificateFiles.cert } });
    expect({ stderr, code }).toEqual({ stderr: '', code: 0 });
    expect(JSON.parse(stdout)).toEqual({ type: 'user', target: 'ann', hello: 'over TLS' });
  });

  it('reaches no server whose certificate is not trusted, and says so', async () => {
    const { tlsUrl } = await startTlsRedis();
    const { sse, url } = await serveHub({ hub: { redis: make(tlsUrl) } });
    const errors = collect(sse, 'error');
    const ann = await openStream(`${url}/ann`);
    await expect(sse.publishToUser('ann', 1)).rejects.toMatchObject({ code: 'PUBLISH_REFUSED', delivered: 1 });
    await ann.received(1);
    expect(errors).toContainEqual(
      expect.objectContaining({ code: 'BUS_ERROR', message: expect.stringContaining('self-signed certificate') }),
    );
    expect(sse.stats().bus.state).toBe('connecting');
  });
});
