import { afterSilence } from '../settling.js';
import type { Link } from './link.js';

const LOOK_EVERY_MS = 5000;
const ANSWER_MS = 4000;

type Watched = Pick<Link, 'alive' | 'check' | 'renew'>;

/** Notices connections whose other end is gone without a word, and renews them. */
export class Watchdog {
  readonly #timer: NodeJS.Timeout;

  constructor(watched: readonly Watched[]) {
    this.#timer = setInterval(() => {
      for (const each of watched) if (each.alive) this.#look(each);
    }, LOOK_EVERY_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(connection: Watched): void {
    const answered = afterSilence(ANSWER_MS, () => connection.renew());
    // A ping that fails says that the connection broke, which its client has noticed then.
    connection.check().then(answered, answered);
  }
}
