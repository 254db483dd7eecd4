import { isRecord, refuse } from '../../checks.js';
import type { PublishOptions, SendOptions } from '../../types.js';

const MAX_BYTES = 1024;

/** Takes the publish key out of a publish's options. @throws SSEKifyError INVALID_OPTION */
export function takeKey(options: PublishOptions | undefined): {
  key: string | undefined;
  rest: SendOptions | undefined;
} {
  if (!isRecord(options) || !('key' in options)) return { key: undefined, rest: options };
  const { key, ...rest } = options;
  if (key === undefined) return { key, rest };
  if (typeof key === 'string' && key !== '' && Buffer.byteLength(key) <= MAX_BYTES) return { key, rest };
  return refuse('options.key', key, `a non-empty string of at most ${MAX_BYTES} bytes`);
}
