import { EventEmitter } from 'node:events';
import { expect, it } from 'vitest';
import { SSEKify } from '../../src/index.js';
import { collect } from '../helpers/emitted.js';

it('resolves after graceMs although an adapter never finishes closing', async () => {
  const adapter = {
    publish: async () => 1,
    subscribe: async () => 1,
    on: () => undefined,
    close: () => new Promise<never>(() => undefined),
  };
  const sse = new SSEKify({ redis: adapter });
  await sse.ready();
  await expect(sse.shutdown({ graceMs: 20 })).resolves.toBeUndefined();
});

it('resolves although an adapter fails to close, and tells of it', async () => {
  const adapter = {
    publish: async () => 1,
    subscribe: async () => 1,
    on: () => undefined,
    // As a client's quit() does that has no connection.
    close: () => Promise.reject(new Error('Connection is closed.')),
  };
  const sse = new SSEKify({ redis: adapter });
  const errors = collect(sse, 'error');
  await sse.ready();
  await expect(sse.shutdown()).resolves.toBeUndefined();
  expect(errors).toMatchObject([{ code: 'BUS_ERROR', cause: { message: 'Connection is closed.' } }]);
});

it('listens to errors of an adapter until it is closed, since an EventEmitter would throw them', async () => {
  class Emitting extends EventEmitter {
    publish = async () => 1;
    subscribe = async () => 1;
    async close() {
      await new Promise(setImmediate);
      this.emit('error', new Error('read ECONNRESET'));
    }
  }
  const adapter = new Emitting();
  const sse = new SSEKify({ redis: adapter });
  const errors = collect(sse, 'error');
  await sse.ready();
  await sse.shutdown();
  expect(errors).toEqual([]);
  expect(adapter.eventNames()).toEqual([]);
});
