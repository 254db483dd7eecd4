import type { GapReason } from '../types.js';
import type { Frame } from '../wire/frame.js';
import type { Connection } from './connection.js';
import type { BufferHolder, HeldScope } from './recent-buffer.js';
import type { SourceBytes } from './recent-frames.js';
import type { Scope } from './scope.js';

/** What was sent, and what connections get of it: the recent events of this instance, or the log of all. */
export interface History {
  /** What is kept now. */
  readonly size: { buffers: number; items: number; bytes: number };
  /** Keeps a frame; one without an id is live only. @param holder - a connection of the user, where there is only one */
  record(scope: Scope, frame: Frame, holder?: BufferHolder): void;
  /** Keeps an event as bytes, for a scope that holds a buffer which is packing; absent where there are none. */
  recordBytes?(scope: HeldScope, source: SourceBytes, order: number): void;
  /** A connection is in: it gets what it missed, and from now on what is sent. @returns a gap that is not told yet */
  enter(connection: Connection, lastEventId: string | undefined): GapReason | undefined;
  /** A connection joins a room, and gets what that said since the position it came with. @returns a gap that is not told yet */
  join(connection: Connection, room: string, lastEventId: string | undefined, replay: boolean): GapReason | undefined;
  /** A connection has left the room. */
  leave(connection: Connection, room: string): void;
  /** A connection has left altogether. */
  left(connection: Connection): void;
  /** Events of a scope, or all, are forgotten. @throws SSEKifyError when this history is not this instance's alone */
  clear(scope: Scope | undefined): void;
  /** A scope's events are not needed any more. */
  forget(scope: Scope): void;
  /** Events were lost, or came in another order than the channel's. */
  tear(ongoing: boolean): void;
  /** Leaves behind a connection that cannot take a frame, if it can read that later. @returns whether it did */
  leaveBehind(connection: Connection, frame: Frame): boolean;
  /** Moves a client's last id to now, when nothing else does; `undefined` when it need not be moved. */
  cursor(sentId: string): Frame | undefined;
}
