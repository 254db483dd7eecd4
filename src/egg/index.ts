export { Boot, type EggApplication, type EggContext } from './boot.js';
export { EggSSE } from './egg-sse.js';
export type { EggData, EggMessage } from './message.js';
export { createMessengerAdapter, type EggMessenger } from './messenger.js';
export type { EggSettings, EggSSEOptions } from './options.js';
