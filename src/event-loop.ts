import timers from 'node:timers';

/**
 * The event loop's functions as they are when this is loaded. Fake timers of a test put others in their places, by which nothing
 * runs any more once they are taken back: an event that was sent meanwhile, and all behind it, would wait for ever.
 */
export const { setImmediate } = timers;
export const { nextTick } = process;
export const { queueMicrotask } = globalThis;

/** Lets the event loop turn once. */
export const nextTurn = () => new Promise<void>((resolve) => void setImmediate(resolve));
