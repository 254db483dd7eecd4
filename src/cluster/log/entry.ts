import { parseStreamId, type StreamId } from '../../wire/stream-id.js';

/** One entry of the log as Redis gives it. */
export interface LogEntry {
  id: StreamId;
  /** The same as text: the frame id of its event. */
  name: string;
  /**
   * `'event'`: something was published. `'tick'`: a sign of life. `'mark'`: what the log was before is lost, in part or all
   * of it.
   */
  kind: 'event' | 'tick' | 'mark';
  /** Events up to here; a tick has that of the event before it. Absent in an entry that was not appended by ssekify. */
  n: number | undefined;
  /** Of a tick: the newest entry before it that is none, whether or not that is still there. */
  since: StreamId | undefined;
  /** Of a tick with which an instance began: the entry before it. */
  prev: StreamId | undefined;
  /** The envelope; absent where there is none. */
  message: string | undefined;
}

const MOST_PER_MS = 2000;

/** Reads entries from an answer of Redis. @throws Error when it is none */
export function readEntries(answer: unknown): LogEntry[] {
  if (!Array.isArray(answer)) throw new Error('Redis answered with no entries');
  return answer.map(readEntry);
}

/** Reads what XREAD gives for the one stream it was asked for; nothing came when it gives null. */
export function readStream(answer: unknown): LogEntry[] {
  if (answer === null || answer === undefined) return [];
  // RESP2 has a list of pairs; of RESP3's map clients make an object, or a list of keys and values.
  const [first, second] = Array.isArray(answer) ? answer : Object.entries(answer);
  return readEntries(Array.isArray(first) ? first[1] : second);
}

function readEntry(entry: unknown): LogEntry {
  const [name, fields] = Array.isArray(entry) ? entry : [];
  const id = typeof name === 'string' ? parseStreamId(name) : undefined;
  if (id === undefined || !Array.isArray(fields)) {
    // Whoever gave an id of their own beyond every clock has ended the log: all that comes after it is beyond, too.
    throw new Error(
      `the log has an entry with the id ${String(name)}, behind which nothing can be read; delete the log`,
    );
  }
  let kind: LogEntry['kind'] = 'event';
  let n: number | undefined;
  let since: StreamId | undefined;
  let prev: StreamId | undefined;
  let message: string | undefined;
  for (let at = 0; at + 1 < fields.length; at += 2) {
    const value = String(fields[at + 1]);
    if (fields[at] === 'm') message = value;
    else if (fields[at] === 'n') n = numberIn(value, id);
    else if (fields[at] === 'tick' || fields[at] === 'mark') {
      kind = fields[at];
      since = parseStreamId(value);
    } else if (fields[at] === 'start') {
      kind = 'tick';
      prev = parseStreamId(value);
    }
  }
  return { id, name, kind, n, since, prev, message };
}

/**
 * Counting begins at the log's time in microseconds, and is slower than that. A number far beyond it is a stranger's, behind
 * which counting would go on without being exact.
 */
function numberIn(text: string, { ms }: StreamId): number | undefined {
  const number = Number(text);
  return Number.isSafeInteger(number) && number > 0 && number <= ms * MOST_PER_MS ? number : undefined;
}
