import { beforeStreamId, compareStreamIds, type StreamId } from '../../wire/stream-id.js';

/** An entry of the log as a neighbour of positions. */
export interface Neighbour {
  id: StreamId;
  /** Of a tick: the newest entry before it that is none. Ticks between the two were taken away. */
  since?: StreamId | undefined;
  /** Of one with which an instance began: the entry before it. What was between the two is of a log that has lost its end. */
  prev?: StreamId | undefined;
}

/**
 * Whether a client can have been told of a position, by the first entry that is not before it: it is that of the entry, or right
 * before it (where a loss ends), or one of these of what was taken away. Any other is not of this log.
 */
export function wasTold(position: StreamId, { id, since, prev }: Neighbour, tickSeq: number): boolean {
  if (compareStreamIds(position, id) === 0 || compareStreamIds(position, beforeStreamId(id)) === 0) return true;
  if (prev !== undefined && compareStreamIds(position, prev) > 0) return true;
  if (since === undefined) return false;
  const behind = compareStreamIds(position, since);
  return behind === 0 || (behind > 0 && (position.seq === tickSeq || position.seq === tickSeq - 1));
}
