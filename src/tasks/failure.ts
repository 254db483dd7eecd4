import type { TaskFailure } from './types.js';

/** What a client is told of an error that tells nothing. */
export const NO_REASON = 'the task failed';

/** What a client may know of an error. */
export function failureOf(error: unknown): TaskFailure {
  const message = typeof error === 'string' ? error : fieldOf(error, 'message');
  const code = fieldOf(error, 'code');
  return { message: message || NO_REASON, ...(code !== undefined && { code }) };
}

function fieldOf(error: unknown, name: string): string | undefined {
  try {
    const value: unknown = Reflect.get(Object(error), name);
    return typeof value === 'string' ? value : undefined;
  } catch {
    // An error that cannot even be looked at tells nothing.
    return undefined;
  }
}
