import type { HeaderChange } from '../../wire/head.js';
import type { Sink, SinkOwner } from './sink.js';

/** A request whose response is to become a stream. */
export interface Exchange {
  /** Only the head is asked for. */
  readonly headOnly: boolean;
  /** The head was sent by the application. */
  readonly begun: boolean;
  /** The position the client asks to resume from. */
  readonly lastEventId: string | undefined;
  /** Why nothing can be sent at all; `undefined` when it can. */
  refusal(): 'gone' | 'duplicate' | undefined;
  /** Sends the head of a stream. @throws SSEKifyError INVALID_HEADER, and nothing was sent */
  begin(headers: readonly HeaderChange[]): void;
  /** Answers without a stream. @param last - whether the client is not to come back by the same connection */
  answer(status: number, headers: readonly HeaderChange[], text?: string, last?: boolean): void;
  /** What the stream is written to, once it has begun. */
  open(owner: SinkOwner): Sink;
}
