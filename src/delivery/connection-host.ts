import type { ConnectionSettings } from '../options.js';
import type { DisconnectReason, GapReason } from '../types.js';
import type { Frame } from '../wire/frame.js';
import type { Clock } from './clock.js';
import type { Connection } from './connection.js';
import type { Flusher } from './flusher.js';

/** What connections share, and whom they tell. */
export interface ConnectionHost {
  readonly instanceId: string;
  readonly clock: Clock;
  readonly flusher: Flusher;
  /** Milliseconds within which a quiet client's last id has to be moved; `undefined` = never. */
  readonly cursorMs: number | undefined;
  /** Nobody is let in any more. */
  readonly draining: boolean;
  /** Counts what a connection refused or dropped, and how far its queue grew. */
  dropped(connection: Connection, oldest: number, newest: number): void;
  queued(items: number, bytes: number): void;
  /** Tells of a gap. @returns the frame that tells the client, if it is to be told */
  gap(connection: Connection, lastEventId: string, reason: GapReason): Frame | undefined;
  /** The heartbeat these settings ask for. */
  heartbeat(settings: ConnectionSettings): Frame;
  /** An event that moves the client's last id to now; `undefined` when it need not be moved. */
  cursor(sentId: string): Frame | undefined;
  /** A frame does not fit in the queue. @returns whether the connection was given a backlog, so that it reads it later */
  leaveBehind(connection: Connection, frame: Frame): boolean;
  /** It stopped taking frames; called once. */
  left(connection: Connection, reason: DisconnectReason): void;
  /** Its response is over; called once, after `left`. */
  gone(connection: Connection): void;
}
