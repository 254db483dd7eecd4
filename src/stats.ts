import type { BusStats } from './cluster/bus-stats.js';
import type { LogStats } from './cluster/log/log-stats.js';
import type { GapReason, RefusalReason } from './types.js';

/** What `stats()` returns; all of it for this instance, counters since it was made. */
export interface SSEKifyStats {
  /** Open connections. */
  connections: number;
  /** Users with an open connection. */
  users: number;
  /** Rooms with a connection in them. */
  rooms: number;
  /** Frames that connections accepted: events and comments, but for heartbeats, gaps and what is resent. */
  sent: number;
  /** Frames resent: to clients that came back, at a `join` with `replay`, in lossless mode to those left behind. */
  replayed: number;
  /** Frames that `dropPolicy: 'oldest'` dropped from queues. */
  droppedOldest: number;
  /** Frames that were refused because a queue was full or the frame larger than the queue may be. */
  droppedNewest: number;
  /** Connections closed with the reason `'backpressure'`. */
  disconnectedByBackpressure: number;
  /** Connections closed because their client took no byte for too long. */
  disconnectedByStall: number;
  /** The most live frames that ever waited behind one stalled client. */
  queueItemsMax: number;
  /** The most bytes of live frames that ever waited behind one stalled client. */
  queueBytesMax: number;
  /** Connections refused, by reason. */
  refused: Record<RefusalReason, number>;
  /** Gaps that clients were told of, by reason. */
  gaps: Record<GapReason, number>;
  /**
   * Connections accepted, by how they are written to: `socket`, past the response (plain HTTP/1.1), `response`, by its
   * methods, or `web`, the body of a `Response` that `respond` made.
   */
  sinks: { socket: number; response: number; web: number };
  /** User and room buffers kept for replay now. */
  recentBuffers: number;
  /** Events kept for replay now. */
  recentItems: number;
  /** UTF-8 bytes of them. */
  recentBytes: number;
  /** Errors reported by `'error'`. */
  errorCount: number;
  /** Numbers given from memory. */
  seqIncrsLocal: number;
  /** Numbers given by Redis. */
  seqIncrsRedis: number;
  /** Epoch milliseconds of the last time numbers fell back from Redis to memory; `0` = never. */
  lastSeqKvFallbackAt: number;
  /** Whether `stopAccepting()` or `shutdown()` was called. */
  draining: boolean;
  /** The channel between instances; its state is `'none'` when this instance is alone. */
  bus: BusStats;
  /** The log in lossless mode. */
  log: LogStats;
}

/** What is counted on the way. */
export class Counters {
  sent = 0;
  replayed = 0;
  droppedOldest = 0;
  droppedNewest = 0;
  disconnectedByBackpressure = 0;
  disconnectedByStall = 0;
  queueItemsMax = 0;
  queueBytesMax = 0;
  errorCount = 0;
  resumesFromMemory = 0;
  resumesFromRedis = 0;
  leftBehind = 0;
  seqIncrsLocal = 0;
  seqIncrsRedis = 0;
  lastSeqKvFallbackAt = 0;
  readonly refused: Record<RefusalReason, number> = {
    limit: 0,
    'user-limit': 0,
    draining: 0,
    gone: 0,
    head: 0,
    duplicate: 0,
  };
  readonly sinks = { socket: 0, response: 0, web: 0 };
  readonly gaps: Record<GapReason, number> = { unknown: 0, evicted: 0, dropped: 0, reset: 0 };

  /** Copies of what stands in `stats()` by these names. */
  shown() {
    const { refused, gaps, sinks, resumesFromMemory, resumesFromRedis, leftBehind, ...counters } = this;
    return { ...counters, refused: { ...refused }, gaps: { ...gaps }, sinks: { ...sinks } };
  }
}
