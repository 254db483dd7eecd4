import type { RedisLike } from '../../src/index.js';
import { type RedisServer, startRedis } from '../helpers/redis.js';
import { eventually, type TestChannel } from './redis-like-contract.js';

/** A channel of a real server of its own. */
export async function redisChannel(make: (server: RedisServer) => RedisLike): Promise<TestChannel> {
  const server = await startRedis();
  const client = server.client();
  const strangers = Number(await client.client('ID')) > 0 ? 1 : 0;
  return {
    adapter: () => make(server),
    // Its commands are refused by the server, which stays connected.
    refuse: async () => {
      await client.call('ACL', 'SETUSER', 'default', '-publish', '-eval', '-evalsha');
    },
    loseSubscriptions: async () => {
      await client.call('CLIENT', 'KILL', 'TYPE', 'pubsub');
    },
    empty: () =>
      eventually(async () => {
        const list = String(await client.call('CLIENT', 'LIST'));
        return list.trim().split('\n').length <= strangers;
      }),
    raw: (channel, message) => client.publish(channel, message),
  };
}
