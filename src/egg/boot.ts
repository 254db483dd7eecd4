import type { NodeResponse } from '../index.js';
import { EggSSE } from './egg-sse.js';
import type { EggMessenger } from './messenger.js';
import type { EggSettings, EggSSEOptions } from './options.js';

/** What is used of the context of a request. */
export interface EggContext {
  readonly querystring: string;
  readonly res: NodeResponse;
  status: number;
  body: unknown;
  respond?: boolean | undefined;
}

/** What is used of a worker's `app`, and of the `agent`. */
export interface EggApplication {
  readonly type: 'application' | 'agent';
  readonly config: { readonly sse?: EggSSEOptions | undefined };
  readonly messenger: EggMessenger;
  readonly coreLogger: { warn(message: unknown): void; error(message: unknown): void };
  /** A worker's. */
  readonly router?: { get(path: string, handler: (ctx: EggContext) => void): unknown };
  sse?: EggSSE;
}

/** Egg's master ends a worker that takes 5 s. */
const GRACE_MS = 4000;

/** Makes `app.sse` or `agent.sse` before the application's own `app.js` or `agent.js` runs, and ends it with the process. */
export class Boot {
  readonly #app: EggApplication;

  constructor(app: EggApplication) {
    this.#app = app;
  }

  configDidLoad(): void {
    const { type, config, messenger, coreLogger } = this.#app;
    const sse = new EggSSE(config.sse, messenger, type === 'agent');
    sse.hub.on('error', (error) => coreLogger[error.level ?? 'error'](error));
    if (type === 'application') this.#app.router?.get(sse.settings.path, (ctx) => connect(sse, ctx));
    this.#app.sse = sse;
    // Egg lets a worker with an uncaught exception live on for 30 s, cut off from its master, and so from what others
    // publish: its clients are better off elsewhere.
    process.once('disconnect', this.#end);
  }

  async beforeClose(): Promise<void> {
    process.off('disconnect', this.#end);
    await this.#end();
  }

  readonly #end = async () => this.#app.sse?.hub.shutdown({ graceMs: GRACE_MS });
}

function connect({ hub, settings }: EggSSE, ctx: EggContext): void {
  const key = keyIn(ctx.querystring, settings);
  if (key === undefined) {
    ctx.status = 400;
    ctx.body = `${settings.keyName}: expected one, not empty, in UTF-8`;
    return;
  }
  hub.registerConnection(key, ctx.res);
  // The response is the hub's from now on. Should the line above throw, Egg still answers.
  ctx.respond = false;
}

function keyIn(querystring: string, { keyName, sharedKey }: EggSettings): string | undefined {
  const keys = new URLSearchParams(querystring).getAll(keyName);
  if (keys.length === 0) return sharedKey;
  return keys.length > 1 || keys[0] === '' || !isWellFormed(querystring) ? undefined : keys[0];
}

/** `URLSearchParams` makes something of everything, and so of two broken keys the same one. */
function isWellFormed(querystring: string): boolean {
  try {
    decodeURIComponent(querystring);
    return true;
  } catch {
    return false;
  }
}
