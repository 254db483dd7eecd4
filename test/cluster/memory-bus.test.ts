import type { MemoryAdapterOptions } from '../helpers/memory-bus.js';
import { type MemoryAdapter, MemoryBus } from '../helpers/memory-bus.js';
import { contract, eventually, type TestChannel } from './redis-like-contract.js';

function memoryChannel(options: MemoryAdapterOptions): () => Promise<TestChannel> {
  return async () => {
    const bus = new MemoryBus();
    const adapters: MemoryAdapter[] = [];
    return {
      adapter: () => {
        const adapter = bus.adapter(options);
        adapters.push(adapter);
        return adapter;
      },
      refuse: () => {
        for (const adapter of adapters) adapter.refusal = new Error('no');
      },
      loseSubscriptions: async () => {
        for (const adapter of adapters) {
          adapter.tell('down');
          adapter.tell('up');
        }
      },
      empty: () => eventually(async () => adapters.every(({ listeners, closed }) => listeners === 0 && closed > 0)),
      raw: async (channel, message) => bus.publish(channel, message),
    };
  };
}

contract('in memory, without counters', memoryChannel({}));
contract('in memory, without echo', memoryChannel({ echo: false }));
contract('in memory, with counters as methods', memoryChannel({ counters: 'methods' }));
contract('in memory, with counters as kv', memoryChannel({ counters: 'kv' }));
