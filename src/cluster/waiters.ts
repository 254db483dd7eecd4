import type { SSEKifyError } from '../errors.js';

/** Those who wait for a channel to stand. */
export class Waiters {
  #waiting: { resolve: () => void; reject: (error: SSEKifyError) => void }[] = [];

  add(): Promise<void> {
    return new Promise((resolve, reject) => this.#waiting.push({ resolve, reject }));
  }

  resolve(): void {
    for (const { resolve } of this.#waiting.splice(0)) resolve();
  }

  reject(error: SSEKifyError): void {
    for (const { reject } of this.#waiting.splice(0)) reject(error);
  }
}
