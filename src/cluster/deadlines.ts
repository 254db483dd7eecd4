import type { Clock, Wakeable } from '../delivery/clock.js';
import { afterSilence, LAST_MS } from '../settling.js';

/** Tells when times are over, not before the event loop has turned once more: an answer may lie in a socket unread. */
export class Deadlines implements Wakeable {
  wakeSlot: number | undefined;
  readonly #clock: Clock;
  readonly #expire: (now: number) => void;
  #cancelLook: (() => void) | undefined;

  /** @param expire - ends what was due at that time */
  constructor(clock: Clock, expire: (now: number) => void) {
    this.#clock = clock;
    this.#expire = expire;
  }

  /** The deadline that lies so far ahead. */
  in(ms: number): number {
    return this.#clock.now() + ms;
  }

  /** Looks then whose time is over, or earlier if it is to look earlier already. */
  lookAt(deadline: number): void {
    this.#clock.wakeAt(this, deadline);
  }

  end(): void {
    this.#clock.cancel(this);
    this.#cancelLook?.();
  }

  wake(now: number): undefined {
    // Those whose time is over only since then have a last part of their own: they may have left just now.
    this.#cancelLook?.();
    this.#cancelLook = afterSilence(LAST_MS, () => this.#expire(now));
  }
}
