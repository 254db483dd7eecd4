import type { RedisLike } from './redis-like.js';

/** A channel that ends where it begins: an instance that is alone, but takes its numbers from a counter store. */
export class Loopback implements RedisLike {
  #deliver: ((channel: string, message: string) => void) | undefined;

  publish(channel: string, message: string): Promise<void> {
    this.#deliver?.(channel, message);
    return Promise.resolve();
  }

  subscribe(): Promise<void> {
    return Promise.resolve();
  }

  on(event: 'message', listener: (channel: string, message: string) => void): void;
  on(event: 'error', listener: (error: unknown) => void): void;
  on(event: 'message' | 'error', listener: (channel: string, message: string) => void): void {
    if (event === 'message') this.#deliver = listener;
  }

  onState(listener: (state: 'up') => void): void {
    listener('up');
  }
}
