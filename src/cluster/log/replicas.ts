import { messageOf } from '../../errors.js';
import { ChannelError } from '../channel-error.js';
import type { ReplicatedLink } from '../link.js';

const WAIT_MS = 1000;

interface Waiting {
  resolve(): void;
  reject(error: unknown): void;
}

/** Waits until a replica has what was written; one question answers all who wrote before it. */
export class Replicas {
  readonly #link: ReplicatedLink;
  readonly #key: string;
  #asking = false;
  #waiting: Waiting[] = [];

  constructor(link: ReplicatedLink, key: string) {
    this.#link = link;
    this.#key = key;
  }

  /** Resolves when a replica has what was written on the connection so far. */
  have(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#waiting.push({ resolve, reject });
      if (!this.#asking) this.#ask();
    });
  }

  #ask(): void {
    const waiting = this.#waiting;
    this.#waiting = [];
    this.#asking = waiting.length > 0;
    if (!this.#asking) return;
    this.#link.wait(this.#key, WAIT_MS).then(
      (replicas) => {
        const late = new ChannelError(`no replica had the event within ${WAIT_MS} ms`, 'unknown');
        for (const { resolve, reject } of waiting) replicas > 0 ? resolve() : reject(late);
        this.#ask();
      },
      (cause: unknown) => {
        const unknown = new ChannelError(messageOf(cause), 'unknown', cause);
        for (const { reject } of waiting) reject(unknown);
        this.#ask();
      },
    );
  }
}
