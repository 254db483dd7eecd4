import type { Chunk } from '../chunk.js';

/** What a sink tells of its client. */
export interface SinkOwner {
  /** The client took what `write` answered `false` for. */
  drained(): void;
  /** The response is over: the client left, or somebody ended it. Only the first counts. */
  closed(reason: 'client' | 'server' | 'error'): void;
}

/** How a connection is written to; see `stats().sinks`. */
export type SinkKind = 'socket' | 'response' | 'web';

/** The only thing that touches a response. */
export interface Sink {
  /** Known from the first write on. */
  readonly kind: SinkKind;
  /**
   * Writes; the chunk is taken in any case.
   * @returns `false` when nothing more should be written before `drained`
   */
  write(chunk: Chunk): boolean;
  /** Writes a part of a chunk's bytes. */
  writeBytes(bytes: Buffer): boolean;
  /** Ends the response after what was written; `closed` follows. @param last - as in `Exchange.answer` */
  end(last: boolean): void;
  /** Cuts the client off; `closed` follows. */
  destroy(): void;
  /** Changes whenever the client's socket takes bytes. */
  progress(): string;
  /** Lets go of the response: no listener of the sink remains on it or its socket. @param last - as in `Exchange.answer` */
  detach(last: boolean): void;
}
