import type { RedisLike } from './redis-like.js';
export function createIORedisAdapter(target: unknown): RedisLike {
  throw new Error(String(target));
}
