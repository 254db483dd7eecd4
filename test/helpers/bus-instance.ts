import type { SSEKifyOptions } from '../../src/index.js';
import { openStream } from './client.js';
import { collect } from './emitted.js';
import type { MemoryBus } from './memory-bus.js';
import { serveHub } from './server.js';

/** A hub on a bus, with one client, and what it told of errors. */
export async function busInstance(bus: MemoryBus, options: SSEKifyOptions = {}) {
  const adapter = bus.adapter();
  const hub = await serveHub({ hub: { ...options, redis: adapter } });
  const errors = collect(hub.sse, 'error');
  await hub.sse.ready();
  const ann = await openStream(`${hub.url}/ann`);
  return { ...hub, adapter, errors, ann, said: () => ann.events.map(({ data }) => data) };
}
