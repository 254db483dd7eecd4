import { EventEmitter } from 'node:events';
import type { NodeResponse } from '../../src/index.js';

/** A response without a socket, as an adapter makes it: it has `write`, `end` and `on`, and the test says when it drains. */
export class MadeUpResponse extends EventEmitter {
  readonly writes: string[] = [];
  ends = 0;
  /** What `write` answers. */
  takes = true;

  write(chunk: string | Uint8Array, encoding?: BufferEncoding): boolean {
    this.writes.push(
      typeof chunk === 'string' ? Buffer.from(chunk, encoding).toString() : Buffer.from(chunk).toString(),
    );
    return this.takes;
  }

  end(text?: string): void {
    if (text !== undefined) this.writes.push(text);
    this.ends += 1;
  }

  /** All that was written so far. */
  get text(): string {
    return this.writes.join('');
  }

  drain(): void {
    this.emit('drain');
  }

  /** As `registerConnection` takes it. */
  asResponse(): NodeResponse {
    return less(this);
  }
}

/** What asks for less than its type says. */
function less(response: unknown): NodeResponse {
  return response as NodeResponse;
}

/** Resolves when what was sent in this tick is written. */
export async function flushed(): Promise<void> {
  await new Promise((resolve) => setImmediate(resolve));
  await new Promise((resolve) => setImmediate(resolve));
}
