import type { Link } from './link.js';

const LOOK_EVERY_MS = 5000;
const ANSWER_MS = 4000;

/** Notices connections whose other end is gone without a word, and renews them. */
export class Watchdog {
  readonly #timer: NodeJS.Timeout;

  constructor(watched: readonly Link[]) {
    this.#timer = setInterval(() => {
      for (const each of watched) if (each.alive) this.#look(each);
    }, LOOK_EVERY_MS).unref();
  }

  stop(): void {
    clearInterval(this.#timer);
  }

  #look(connection: Link): void {
    const late = setTimeout(() => connection.renew(), ANSWER_MS).unref();
    // A ping that fails says that the connection broke, which its client has noticed then.
    const answered = () => clearTimeout(late);
    connection.check().then(answered, answered);
  }
}
