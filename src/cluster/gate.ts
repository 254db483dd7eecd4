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

  async pass<Answer>(call: () => Promise<Answer>): Promise<Answer> {
    try {
      return await (this.#open ? call() : this.#early.later(call));
    } catch (error) {
      throw channelError(error);
    }
  }
}
