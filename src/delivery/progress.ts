import type { Sink } from './sinks/sink.js';

const LOOKS_PER_TIMEOUT = 4;

/** Looks whether a client for whom data waits still takes bytes; made when data begins to wait. */
export class Progress {
  readonly #sink: Sink | undefined;
  /** 0 = it may take as long as it likes. */
  readonly #timeoutMs: number;
  #movedAt: number;
  #seen: string;

  constructor(sink: Sink | undefined, timeoutMs: number, now: number) {
    this.#sink = sink;
    this.#timeoutMs = timeoutMs;
    this.#movedAt = now;
    this.#seen = this.#now();
  }

  /** Whether the socket took nothing for too long. */
  hasStopped(now: number): boolean {
    const progress = this.#now();
    if (progress !== this.#seen) {
      this.#seen = progress;
      this.#movedAt = now;
    }
    return this.#timeoutMs > 0 && now - this.#movedAt >= this.#timeoutMs;
  }

  /** When to look again. */
  nextLook(now: number): number {
    if (this.#timeoutMs === 0) return Number.POSITIVE_INFINITY;
    return Math.min(now + this.#timeoutMs / LOOKS_PER_TIMEOUT, this.#movedAt + this.#timeoutMs);
  }

  #now(): string {
    return this.#sink?.progress() ?? '';
  }
}
