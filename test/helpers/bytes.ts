import http from 'node:http';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { atEnd } from './cleanup.js';

/** A client that keeps the bytes of a stream as they came. */
export interface ByteClient {
  /** Takes all bytes up to and with the marker out of the stream, once they have come. */
  upTo(marker: string): Promise<Buffer>;
}

/** Opens a stream and reads its bytes; it is closed when the test ends. */
export function openBytes(url: string): Promise<ByteClient> {
  return new Promise((resolve, reject) => {
    const request = http.get(url, { agent: false }, (response) => {
      let bytes = Buffer.alloc(0);
      let look = () => {};
      response.on('data', (chunk: Buffer) => {
        bytes = Buffer.concat([bytes, chunk]);
        look();
      });
      response.on('error', () => undefined);
      resolve({
        upTo: (marker) =>
          new Promise((found) => {
            look = () => {
              const at = bytes.indexOf(marker);
              if (at === -1) return;
              look = () => {};
              const end = at + Buffer.byteLength(marker);
              const taken = bytes.subarray(0, end);
              bytes = bytes.subarray(end);
              found(taken);
            };
            look();
          }),
      });
    });
    request.on('error', reject);
    atEnd(() => request.destroy());
  });
}

/** What a parser made of a stream. */
export interface Parsed {
  events: EventSourceMessage[];
  comments: string[];
  retries: number[];
  /** Fields that the standard does not know, and other complaints. */
  problems: string[];
}

/** Parses bytes that arrive in pieces of these sizes, taken in turn. Bytes that are not UTF-8 throw. */
export function parseInPieces(bytes: Buffer, sizes: readonly number[]): Parsed {
  const parsed: Parsed = { events: [], comments: [], retries: [], problems: [] };
  const parser = createParser({
    onEvent: (event) => parsed.events.push(event),
    onComment: (comment) => parsed.comments.push(comment),
    onRetry: (retry) => parsed.retries.push(retry),
    onError: (error) => parsed.problems.push(error.message),
  });
  // The standard takes away one BOM at the very start of a stream; these bytes may come from its middle.
  const decoder = new TextDecoder('utf-8', { fatal: true, ignoreBOM: true });
  for (let at = 0, turn = 0; at < bytes.length; turn += 1) {
    const size = Math.max(1, sizes[turn % sizes.length] ?? bytes.length);
    parser.feed(decoder.decode(bytes.subarray(at, at + size), { stream: true }));
    at += size;
  }
  parser.feed(decoder.decode());
  return parsed;
}
