/**
 * A position in the log: the id of a Redis Stream entry, `<milliseconds>-<number in that millisecond>`.
 * @see https://redis.io/docs/latest/develop/data-types/streams/#entry-ids
 */
export interface StreamId {
  readonly ms: number;
  readonly seq: number;
}

const STREAM_ID = /^(\d{1,16})-(\d{1,16})$/;

export const BEGINNING: StreamId = { ms: 0, seq: 0 };

/** Reads an id; `undefined` when it is none, or none that any log of this age could have given. */
export function parseStreamId(text: string): StreamId | undefined {
  const [, ms, seq] = STREAM_ID.exec(text) ?? [];
  if (ms === undefined || seq === undefined) return undefined;
  const id = { ms: Number(ms), seq: Number(seq) };
  return Number.isSafeInteger(id.ms) && Number.isSafeInteger(id.seq) ? id : undefined;
}

/** Negative when `a` comes before `b`, 0 when they are one position. */
export function compareStreamIds(a: StreamId, b: StreamId): number {
  return a.ms - b.ms || a.seq - b.seq;
}

export function formatStreamId({ ms, seq }: StreamId): string {
  return `${ms}-${seq}`;
}

/** A position right before an entry, which is never at 0-0, and after all that came before it. */
export function beforeStreamId({ ms, seq }: StreamId): StreamId {
  return seq > 0 ? { ms, seq: seq - 1 } : { ms: ms - 1, seq: Number.MAX_SAFE_INTEGER };
}
