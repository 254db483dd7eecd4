import { ChannelError } from './channel-error.js';

const TOO_LATE_MS = 4500;

interface EarlyCall {
  at: number;
  run(): void;
  fail(error: unknown): void;
}

/** Keeps calls made before the first connection stands, in order. Once that is decided, calls without connection fail. */
export class EarlyCalls {
  #waiting: EarlyCall[] | undefined = [];

  /** Calls when the connection is there; rejects when it will not come, or came too late for the caller. */
  later<Answer>(call: () => Promise<Answer>): Promise<Answer> {
    if (this.#waiting === undefined) {
      return Promise.reject(new ChannelError('there is no connection to Redis', 'refused'));
    }
    const waiting = this.#waiting;
    return new Promise((resolve, reject) => {
      waiting.push({ at: performance.now(), run: () => resolve(call()), fail: reject });
    });
  }

  /** The connection is there. */
  run(): void {
    const calls = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const call of calls) {
      if (performance.now() - call.at < TOO_LATE_MS) call.run();
      else call.fail(new ChannelError('the connection to Redis came too late', 'refused'));
    }
  }

  /** The connection is not there. */
  fail(error: unknown): void {
    const calls = this.#waiting ?? [];
    this.#waiting = undefined;
    for (const call of calls) call.fail(error);
  }
}
