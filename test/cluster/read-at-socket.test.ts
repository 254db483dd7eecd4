import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import { describe, expect, it } from 'vitest';
import { createIORedisAdapter } from '../../src/index.js';
import { certificate } from '../helpers/certificate.js';
import { atEnd } from '../helpers/cleanup.js';
import { countReadByClient } from '../helpers/read-by-client.js';
import { startTlsRedis, type TlsRedisServer } from '../helpers/tls-redis.js';

const versions = [
  { version: 6, Client: Redis, make: (options: object) => new Redis({ ...options, lazyConnect: true }) },
  { version: 5, Client: Redis5, make: (options: object) => new Redis5({ ...options, lazyConnect: true }) },
];

const connections: [string, (server: TlsRedisServer) => Record<string, unknown>][] = [
  ['as it is', ({ port }) => ({ port })],
  ['without a ready check', ({ port }) => ({ port, enableReadyCheck: false })],
  [
    'with a name, a user, a database and a time limit',
    ({ port }) => ({ port, connectionName: 'n', username: 'app', password: 'pw', db: 2, socketTimeout: 60_000 }),
  ],
  ['over TLS', ({ tlsPort: port }) => ({ port, tls: { ca: certificate.cert } })],
];

describe.each(versions)('an adapter of ioredis $version', ({ Client, make }) => {
  it.each(connections)('reads messages at the socket, also of the next connection, %s', async (_, optionsFor) => {
    const server = await startTlsRedis();
    const raw = server.client();
    await raw.call('ACL', 'SETUSER', 'app', 'on', '>pw', '~*', '&*', '+@all');
    const readByClient = countReadByClient(Client);
    const client = make({ host: '127.0.0.1', ...optionsFor(server) });
    atEnd(() => client.disconnect());
    const adapter = createIORedisAdapter(client);
    atEnd(() => adapter.close());
    adapter.on('error', () => undefined);
    const texts: string[] = [];
    adapter.on('message', (_channel, text) => texts.push(text));
    let downs = 0;
    adapter.onState?.((state) => {
      if (state === 'down') downs += 1;
    });
    await adapter.subscribe('chan');

    const sent = Array.from({ length: 500 }, (_, n) => `${n} é€😀 ${'x'.repeat((n * 37) % 1000)}`);
    sent.splice(250, 0, 'y'.repeat(300_000), '');
    const publishAll = async () => {
      texts.length = 0;
      await Promise.all(sent.map((text) => raw.publish('chan', text)));
      await expect.poll(() => texts.length).toBe(sent.length);
      expect(texts).toEqual(sent);
    };
    await publishAll();
    // The first, and the long one, which no chunk holds whole.
    expect(readByClient()).toBe(2);
    await raw.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    await expect.poll(() => downs).toBe(1);
    await expect.poll(() => raw.call('PUBSUB', 'NUMSUB', 'chan')).toEqual(['chan', 1]);
    await publishAll();
    expect(readByClient()).toBe(4);
  });
});
