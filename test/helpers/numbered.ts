import type { StreamClient } from './client.js';
import type { TestHub } from './server.js';

/** Publishes to ann what is numbered, all by one key. */
export const publish = ({ sse }: TestHub, more = {}) => sse.publishToUser('ann', { requestId: 'one', ...more });

/** The numbers of what a client got; `undefined` for what has none. */
export const numbers = ({ events }: StreamClient): number[] => events.map(({ data }) => JSON.parse(data).seq);

export const upTo = (count: number) => Array.from({ length: count }, (_, n) => n);
