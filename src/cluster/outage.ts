import { messageOf, SSEKifyError } from '../errors.js';

const MAX_REMEMBERED = 100;

/** Reports what is wrong with a channel, each thing once until the channel is back: a client that reconnects repeats itself. */
export class Outage {
  readonly #report: (error: SSEKifyError) => void;
  /** Whose client it is, as messages say it. */
  readonly #of: string;
  readonly #said = new Set<string>();

  constructor(of: string, report: (error: SSEKifyError) => void) {
    this.#of = of;
    this.#report = report;
  }

  warn(code: 'BUS_DOWN' | 'ECHO_LOST', message: string): void {
    this.#say(message, () => new SSEKifyError(code, message, { level: 'warn' }));
  }

  /** The client library reported something. */
  failed(cause: unknown): void {
    const message = `the ${this.#of}'s client reported: ${messageOf(cause)}`;
    this.#say(message, () => new SSEKifyError('BUS_ERROR', message, { cause }));
  }

  /** The channel is back: what happens from now on is new. */
  over(): void {
    this.#said.clear();
  }

  #say(message: string, error: () => SSEKifyError): void {
    // ioredis names the pause before it asks the sentinels anew, which grows.
    const what = message.replace(/\d+ms/, '');
    if (this.#said.has(what)) return;
    if (this.#said.size < MAX_REMEMBERED) this.#said.add(what);
    this.#report(error());
  }
}
