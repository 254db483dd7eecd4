/** What stands before the length of the channel's name: RESP 2 pushes an array, RESP 3 has a type for it. */
const HEADS = ['*', '>'].map((type) => Buffer.from(`${type}3\r\n$7\r\nmessage\r\n`));
/** `$`, nine digits and the line's end. */
const MAX_LENGTH_LINE = 12;
const SHORTEST_STRING = '$0\r\n\r\n'.length;

export interface PushedMessage {
  channel: string;
  text: string;
  /** Up to the `$` before the length of the text, which all messages of the channel have in common. */
  head: Buffer;
  end: number;
}

/** Not all of it is there. */
export interface PartOfMessage {
  /** Its end; while that is not known, an index that lies before it. */
  atLeast: number;
}

/** The message that stands at an index; `undefined` where another reply does. */
export function messageAt(chunk: Buffer, at: number): PushedMessage | PartOfMessage | undefined {
  const head = HEADS.find((each) => each[0] === chunk[at]);
  if (head === undefined) return undefined;
  const there = Math.min(head.length, chunk.length - at);
  if (head.compare(chunk, at, at + there, 0, there) !== 0) return undefined;
  // Another reply may begin so, and be shorter than any message.
  if (there < head.length) return { atLeast: chunk.length + 1 };
  const channel = stringAt(chunk, at + head.length);
  if (channel === undefined) return undefined;
  if (channel.end > chunk.length) return { atLeast: channel.end + SHORTEST_STRING };
  const text = stringAt(chunk, channel.end);
  if (text === undefined) return undefined;
  if (text.end > chunk.length) return { atLeast: text.end };
  return {
    channel: chunk.toString('utf8', channel.from, channel.to),
    text: chunk.toString('utf8', text.from, text.to),
    head: chunk.subarray(at, channel.end + 1),
    end: text.end,
  };
}

interface Place {
  from: number;
  to: number;
  end: number;
}

/** Where a string lies; of one whose length is not all there, a place that is not there either. */
function stringAt(chunk: Buffer, at: number): Place | undefined {
  const line = chunk.toString('latin1', at, at + MAX_LENGTH_LINE);
  const [whole, length] = /^\$(\d{1,9})\r\n/.exec(line) ?? [];
  if (whole !== undefined) {
    const from = at + whole.length;
    const to = from + Number(length);
    return '\r\n'.startsWith(chunk.toString('latin1', to, to + 2)) ? { from, to, end: to + 2 } : undefined;
  }
  if (at + line.length < chunk.length || !/^(?:\$\d{0,9}\r?)?$/.test(line)) return undefined;
  const from = Math.max(at, chunk.length);
  return { from, to: from, end: from + 2 };
}
