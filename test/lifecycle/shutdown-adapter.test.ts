import { expect, it } from 'vitest';
import { SSEKify } from '../../src/index.js';

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
