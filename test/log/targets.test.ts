import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import { describe, expect, it } from 'vitest';
import { createRedisStreamAdapter, type IORedisTarget, type RedisStreamOptions } from '../../src/index.js';
import { certificate } from '../helpers/certificate.js';
import { atEnd } from '../helpers/cleanup.js';
import { openStream } from '../helpers/client.js';
import { dataOf, logHub, range, untilTold } from '../helpers/log.js';
import { freePort, startRedis } from '../helpers/redis.js';
import { startTlsRedis } from '../helpers/tls-redis.js';

function kept<Client extends Redis | Redis5>(client: Client): Client {
  atEnd(() => client.disconnect());
  return client;
}

/** Publishes on one instance, reads on two, and resumes on a third. */
async function expectLossless(targetOf: () => IORedisTarget): Promise<void> {
  const [a, b] = [await logHub(targetOf()), await logHub(targetOf())];
  const client = await openStream(`${b.url}/ann`);
  for (const n of range(0, 5)) await a.sse.publishToUser('ann', { n, requestId: 'k' }, { key: `key ${n}` });
  await untilTold(client, 5);
  expect(dataOf(client)).toMatchObject(range(0, 5).map((n) => ({ n, seq: n })));
  const c = await logHub(targetOf(), { log: { ringMaxBytes: 0 } });
  const again = await openStream(`${c.url}/ann`, {
    lastEventId: client.events.find(({ data }) => data.includes('"n":1'))?.id ?? '',
  });
  await untilTold(again, 3);
  expect(dataOf(again).map(({ n }) => n)).toEqual([2, 3, 4]);
  expect([...a.errors, ...b.errors, ...c.errors]).toEqual([]);
}

describe('speaks to Redis by', () => {
  it('options', async () => {
    const { port } = await startRedis();
    await expectLossless(() => ({ host: '127.0.0.1', port }));
  });

  it.each([
    ['6', (options: { host: string; port: number; keyPrefix: string }) => new Redis({ ...options, lazyConnect: true })],
    [
      '5',
      (options: { host: string; port: number; keyPrefix: string }) => new Redis5({ ...options, lazyConnect: true }),
    ],
  ])('a client of ioredis %s, under its prefix', async (_, make) => {
    const redis = await startRedis();
    const client = kept<Redis | Redis5>(make({ host: '127.0.0.1', port: redis.port, keyPrefix: 'app:' }));
    await expectLossless(() => client);
    expect(client.status).toBe('wait');
    const keys = await redis.client().keys('*');
    expect(keys).toContain('app:{ssekify:bus}:log');
    expect(keys.filter((key) => !key.startsWith('app:{ssekify:bus}:'))).toEqual([]);
  });

  it('TLS', async () => {
    const { tlsPort } = await startTlsRedis();
    await expectLossless(() => ({ host: '127.0.0.1', port: tlsPort, tls: { ca: certificate.cert } }));
  });
});

it('keeps channels apart', async () => {
  const redis = await startRedis();
  const [a, b] = [
    await logHub(redis.url, { hub: { channel: 'a' } }),
    await logHub(redis.url, { hub: { channel: '}b{' } }),
  ];
  const clients = [await openStream(`${a.url}/ann`), await openStream(`${b.url}/ann`)];
  await a.sse.publishToAll('a', { key: 'k' });
  await b.sse.publishToAll('b', { key: 'k' });
  await Promise.all(clients.map((client) => untilTold(client, 1)));
  expect(clients.map(dataOf)).toEqual([['a'], ['b']]);
});

it('refuses options that are none, by their name, before it connects', async () => {
  const wrong: [string, unknown][] = [
    ['options["window"]', { window: 1 }],
    ['options.windowMs', { windowMs: 999 }],
    ['options.windowMs', { windowMs: Number.NaN }],
    ['options.windowMs', { windowMs: 2 ** 31 }],
    ['options.maxEvents', { maxEvents: 0 }],
    ['options.maxEvents', { maxEvents: 1.5 }],
    ['options.ringMaxBytes', { ringMaxBytes: -1 }],
    ['options.ringMaxBytes', { ringMaxBytes: '1' }],
    ['options.durable', { durable: 'yes' }],
    ['options', []],
  ];
  const url = `redis://127.0.0.1:${await freePort()}`;
  for (const [name, options] of wrong) {
    expect(() => createRedisStreamAdapter(url, options as RedisStreamOptions), name).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION', message: expect.stringContaining(name) }),
    );
  }
  for (const target of [undefined, null, 7, true]) {
    expect(() => createRedisStreamAdapter(target as unknown as IORedisTarget)).toThrow(
      expect.objectContaining({ code: 'INVALID_OPTION' }),
    );
  }
});
