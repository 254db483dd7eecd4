import type { EventEmitter } from 'node:events';
import { vi } from 'vitest';
import { atEnd } from './cleanup.js';

/** Counts the messages that clients of ioredis read themselves; the others were read at their sockets. */
export function countReadByClient(Client: { prototype: EventEmitter }): () => number {
  const emit = vi.spyOn(Client.prototype, 'emit');
  atEnd(() => emit.mockRestore());
  return () => emit.mock.calls.filter(([name]) => name === 'message').length;
}
