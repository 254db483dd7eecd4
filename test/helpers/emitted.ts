import { once } from 'node:events';
import type { SSEKify, SSEKifyError, SSEKifyEventMap } from '../../src/index.js';

/** The payload of the hub's next event of that name. */
export async function next<Name extends keyof SSEKifyEventMap>(
  sse: SSEKify,
  name: Name,
): Promise<SSEKifyEventMap[Name][0]> {
  const [payload] = await once(sse, name);
  return payload;
}

/** Collects what the hub emits from now on. */
export function collect<Name extends keyof SSEKifyEventMap>(sse: SSEKify, name: Name): SSEKifyEventMap[Name][0][] {
  const seen: SSEKifyEventMap[Name][0][] = [];
  sse.on(name as 'error', (payload: SSEKifyError) => {
    seen.push(payload as SSEKifyEventMap[Name][0]);
  });
  return seen;
}
