import { ChannelError, channelError } from './channel-error.js';

const TOO_LATE_MS = 4500;

interface EarlyCall {
  at: number;
  run(): void;
  fail(error: unknown): void;
}

/** Lets calls through while there is a connection; before the very first one they wait, and when it is lost they fail. */
export class Gate {
  /** Calls that wait for the first connection, in order; `undefined` once that came, or could not be made. */
  #early: EarlyCall[] | undefined = [];
  #open = false;

  get isOpen(): boolean {
    return this.#open;
  }

  open(): void {
    this.#open = true;
    for (const { at, run, fail } of this.#takeEarly()) {
      if (performance.now() - at < TOO_LATE_MS) run();
      else fail(new ChannelError('the connection to Redis came too late', 'refused'));
    }
  }

  shut(): void {
    this.#open = false;
    const error = noConnection();
    for (const { fail } of this.#takeEarly()) fail(error);
  }

  pass<Answer>(call: () => Promise<unknown>, read: (answer: unknown) => Answer): Promise<Answer> {
    let answer: Promise<unknown>;
    try {
      answer = this.#open ? call() : this.#later(call);
    } catch (error) {
      answer = Promise.reject(error);
    }
    return answer.then(read, fail);
  }

  #later(call: () => Promise<unknown>): Promise<unknown> {
    const early = this.#early;
    if (early === undefined) throw noConnection();
    return new Promise((resolve, reject) => {
      early.push({ at: performance.now(), run: () => resolve(call()), fail: reject });
    });
  }

  #takeEarly(): EarlyCall[] {
    const early = this.#early ?? [];
    this.#early = undefined;
    return early;
  }
}

const noConnection = () => new ChannelError('there is no connection to Redis', 'refused');

function fail(cause: unknown): never {
  throw channelError(cause);
}
