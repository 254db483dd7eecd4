/**
 * Lets steps begin in the order they were asked for. A step that gives a promise holds back those behind it until that
 * settles; as long as none does, steps run at once.
 */
export class Lane {
  #last: Promise<unknown> | undefined;

  /** Nothing waits, so that a step would begin at once. */
  get idle(): boolean {
    return this.#last === undefined;
  }

  /** Resolves when all steps that were asked for until now have begun, and those that hold others back have settled. */
  async settled(): Promise<void> {
    await this.#last;
  }

  run(step: () => Promise<unknown> | undefined): void {
    const running = this.#last === undefined ? step() : this.#last.then(step);
    if (running === undefined) return;
    const last: Promise<unknown> = running
      .catch(() => undefined)
      .then(() => {
        if (this.#last === last) this.#last = undefined;
      });
    this.#last = last;
  }
}
