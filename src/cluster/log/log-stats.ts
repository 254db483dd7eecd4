/** What `stats().log` tells of the log in lossless mode; all 0 in others. */
export interface LogStats {
  /** How far this instance is behind the end of the log, in milliseconds of the log's time, as of the last tick. */
  lagMs: number;
  /** Entries of the log that were read, ticks included. */
  entriesRead: number;
  /** Events held in memory. */
  ringItems: number;
  /** Bytes of them, counted with what keeping them costs. */
  ringBytes: number;
  /** Clients that resumed from memory. */
  resumesFromMemory: number;
  /** Clients that resumed from Redis, since their position was older. */
  resumesFromRedis: number;
  /** Times a slow client was left behind and read on from memory. */
  leftBehind: number;
}

export const NO_LOG: Readonly<LogStats> = {
  lagMs: 0,
  entriesRead: 0,
  ringItems: 0,
  ringBytes: 0,
  resumesFromMemory: 0,
  resumesFromRedis: 0,
  leftBehind: 0,
};
