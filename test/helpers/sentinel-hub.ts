import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import { createIORedisAdapter, type IORedisTarget } from '../../src/index.js';
import { atEnd } from './cleanup.js';
import { openStream } from './client.js';
import { collect } from './emitted.js';
import type { RedisServer } from './redis.js';
import type { SentinelTopology } from './sentinel.js';
import { serveHub } from './server.js';

/** The three ways to say where the sentinels are. */
export const targets: [string, (topology: SentinelTopology) => IORedisTarget][] = [
  ['options', ({ sentinels, name }) => ({ sentinels, name })],
  [
    'a client of ioredis 6',
    ({ sentinels, name }) => clientOf(new Redis({ sentinels: [...sentinels], name, lazyConnect: true })),
  ],
  [
    'a client of ioredis 5',
    ({ sentinels, name }) => clientOf(new Redis5({ sentinels: [...sentinels], name, lazyConnect: true })),
  ],
];

export function clientOf<Client extends Redis | Redis5>(client: Client): Client {
  atEnd(() => client.disconnect());
  return client;
}

/** A hub that was told so, with one client. */
export async function hubAt(target: IORedisTarget) {
  const hub = await serveHub({ hub: { redis: createIORedisAdapter(target) } });
  const errors = collect(hub.sse, 'error');
  await hub.sse.ready();
  return { ...hub, errors, stream: await openStream(`${hub.url}/ann`) };
}

export const roleOf = async (server: RedisServer) => (await server.client().role())[0];
