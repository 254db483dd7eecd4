import http from 'node:http';
import type { Readable } from 'node:stream';
import { createParser, type EventSourceMessage } from 'eventsource-parser';
import { atEnd } from './cleanup.js';

/** An event stream as it is received, read by a parser that is not ours. */
export interface StreamReader {
  /** Everything received so far. */
  readonly events: EventSourceMessage[];
  readonly comments: string[];
  readonly retries: number[];
  /** The raw text so far. */
  readonly raw: string;
  /** What an EventSource would send as Last-Event-ID; `''` when it has none. */
  readonly lastEventId: string;
  /** Whether the stream ended cleanly. */
  readonly ended: boolean;
  /** Resolves when the condition holds; looks after each chunk and at the end. */
  until(condition: (reader: StreamReader) => boolean): Promise<void>;
  /** Resolves with the first `count` events. */
  received(count: number): Promise<EventSourceMessage[]>;
  /** Resolves with the first event of that name. */
  event(name: string): Promise<EventSourceMessage>;
  /** Resolves when the stream is over, cleanly or not. */
  readonly over: Promise<void>;
  /** Stops reading, so that the socket fills up. */
  pause(): void;
  resume(): void;
}

/** A client of an event stream over a real socket. */
export interface StreamClient extends StreamReader {
  readonly status: number;
  readonly headers: http.IncomingHttpHeaders;
  readonly response: http.IncomingMessage;
  readonly request: http.ClientRequest;
  /** Leaves. */
  close(): void;
}

export interface OpenOptions {
  method?: string;
  headers?: http.OutgoingHttpHeaders;
  lastEventId?: string;
  /** Start without reading. */
  paused?: boolean;
}

/** Opens a stream; it is closed when the test ends. */
export function openStream(
  url: string,
  { method = 'GET', headers = {}, lastEventId, paused = false }: OpenOptions = {},
): Promise<StreamClient> {
  const resuming = lastEventId === undefined ? {} : { 'Last-Event-ID': Buffer.from(lastEventId).toString('latin1') };
  return new Promise((resolve, reject) => {
    const request = http.request(url, { method, headers: { ...headers, ...resuming }, agent: false });
    atEnd(() => request.destroy());
    request.on('error', reject);
    request.on('response', (response) => {
      const { statusCode: status = 0, headers } = response;
      const close = () => {
        request.destroy();
      };
      resolve(Object.assign(readEvents(response, paused), { status, headers, response, request, close }));
    });
    request.end();
  });
}

/** Reads events from any body, the decompressed one of a response for example. */
export function readEvents(response: Readable, paused = false): StreamReader {
  const events: EventSourceMessage[] = [];
  const comments: string[] = [];
  const retries: number[] = [];
  const looks = new Set<() => void>();
  const look = () => {
    for (const each of [...looks]) each();
  };
  let raw = '';
  let lastEventId = '';
  let ended = false;
  let over = false;
  const parser = createParser({
    onEvent: (event) => {
      events.push(event);
      if (event.id !== undefined) lastEventId = event.id;
    },
    onComment: (comment) => comments.push(comment),
    onRetry: (retry) => retries.push(retry),
  });
  response.setEncoding('utf8');
  const start = () =>
    response.on('data', (chunk: string) => {
      raw += chunk;
      parser.feed(chunk);
      look();
    });
  if (paused) response.pause();
  else start();
  const isOver = new Promise<void>((resolve) => {
    response.on('end', () => {
      ended = true;
    });
    response.on('error', () => undefined);
    response.on('close', () => {
      over = true;
      look();
      resolve();
    });
  });
  const client: StreamReader = {
    events,
    comments,
    retries,
    over: isOver,
    get raw() {
      return raw;
    },
    get lastEventId() {
      return lastEventId;
    },
    get ended() {
      return ended;
    },
    until(condition) {
      return new Promise((resolve, reject) => {
        const each = () => {
          if (condition(client)) {
            looks.delete(each);
            resolve();
          } else if (over) {
            looks.delete(each);
            reject(new Error(`the stream ended before the condition held; it had:\n${raw.slice(-2000)}`));
          }
        };
        looks.add(each);
        each();
      });
    },
    async received(count) {
      await client.until(() => events.length >= count);
      return events.slice(0, count);
    },
    async event(name) {
      await client.until(() => events.some((event) => event.event === name));
      const found = events.find((event) => event.event === name);
      if (found === undefined) throw new Error(`no event ${name}`);
      return found;
    },
    pause() {
      response.pause();
    },
    resume() {
      if (response.listenerCount('data') === 0) start();
      response.resume();
    },
  };
  return client;
}
