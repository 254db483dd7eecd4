import { EventEmitter } from 'node:events';
import type { EggMessenger } from '../../src/egg/messenger.js';

/** The messengers of an Egg application's workers: what one sends goes by its master to all, later, and in one order. */
export class Messengers {
  readonly #workers: Messenger[] = [];
  /** What sending throws from now on, as when the channel to the master is closed. */
  refusal: Error | undefined;

  worker(): Messenger {
    const worker = new Messenger(this);
    this.#workers.push(worker);
    return worker;
  }

  /** Listeners that somebody left behind. */
  get listeners(): number {
    return this.#workers.reduce((count, worker) => count + worker.eventNames().length, 0);
  }

  sendToApp(action: string, data: unknown): void {
    if (this.refusal !== undefined) throw this.refusal;
    // As JSON, which is how it goes between processes.
    const text = JSON.stringify({ data });
    process.nextTick(() => {
      for (const worker of this.#workers) worker.emit(action, JSON.parse(text).data);
    });
  }
}

class Messenger extends EventEmitter implements EggMessenger {
  readonly #all: Messengers;

  constructor(all: Messengers) {
    super();
    this.#all = all;
  }

  sendToApp(action: string, data: unknown): this {
    this.#all.sendToApp(action, data);
    return this;
  }
}
