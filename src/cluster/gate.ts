import { ChannelError, channelError } from './channel-error.js';
import { EarlyCalls } from './early-calls.js';

/** Lets calls through while there is a connection; before the very first one they wait, and when it is lost they fail. */
export class Gate {
  readonly #early = new EarlyCalls();
  #open = false;

  get isOpen(): boolean {
    return this.#open;
  }

  open(): void {
    this.#open = true;
    this.#early.run();
  }

  shut(): void {
    this.#open = false;
    this.#early.fail(new ChannelError('there is no connection to Redis', 'refused'));
  }

  pass<Answer>(call: () => Promise<unknown>, read: (answer: unknown) => Answer): Promise<Answer> {
    let answer: Promise<unknown>;
    try {
      answer = this.#open ? call() : this.#early.later(call);
    } catch (error) {
      answer = Promise.reject(error);
    }
    return answer.then(read, fail);
  }
}

function fail(cause: unknown): never {
  throw channelError(cause);
}
