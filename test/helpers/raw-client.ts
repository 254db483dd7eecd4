import net from 'node:net';
import { atEnd } from './cleanup.js';

/** A client that is nothing but a socket: it speaks what the test makes it speak, and reads when it is told to. */
export interface RawClient {
  readonly socket: net.Socket;
  /** Everything received so far, as latin1. */
  readonly text: string;
  /** Sends `GET <path>`. */
  get(path: string, headers?: string[], version?: string): void;
  until(condition: (text: string) => boolean): Promise<void>;
  /** Resolves when the socket is closed on both sides. */
  readonly closed: Promise<void>;
  /** Whether the server has ended its half. */
  readonly ended: boolean;
}

/** Connects; the socket is destroyed when the test ends. */
export async function connectRaw(port: number, { paused = false, allowHalfOpen = true } = {}): Promise<RawClient> {
  const socket = net.connect({ port, host: '127.0.0.1', allowHalfOpen });
  atEnd(() => socket.destroy());
  const looks = new Set<() => void>();
  let text = '';
  let over = false;
  let ended = false;
  const look = () => {
    for (const each of [...looks]) each();
  };
  socket.on('data', (chunk) => {
    text += chunk.toString('latin1');
    look();
  });
  socket.on('end', () => {
    ended = true;
    look();
  });
  socket.on('error', () => undefined);
  if (paused) socket.pause();
  const closed = new Promise<void>((resolve) => {
    socket.on('close', () => {
      over = true;
      look();
      resolve();
    });
  });
  await new Promise<void>((resolve, reject) => {
    socket.once('connect', resolve);
    socket.once('error', reject);
  });
  return {
    socket,
    closed,
    get text() {
      return text;
    },
    get ended() {
      return ended;
    },
    get(path, headers = [], version = '1.1') {
      socket.write([`GET ${path} HTTP/${version}`, 'Host: localhost', ...headers, '', ''].join('\r\n'));
    },
    until(condition) {
      return new Promise((resolve, reject) => {
        const each = () => {
          const holds = condition(text);
          if (!holds && !over && !ended) return;
          looks.delete(each);
          if (holds) resolve();
          else reject(new Error(`the connection ended before the condition held; it had:\n${text.slice(-2000)}`));
        };
        looks.add(each);
        each();
      });
    },
  };
}

/** One HTTP/1.1 response as it was on the wire. */
export interface WireResponse {
  head: string;
  body: string;
  /** Whether its last chunk was there. */
  complete: boolean;
}

/** Splits what a connection received into its responses, whose bodies are all chunked or have a length. */
export function wireResponses(text: string): WireResponse[] {
  const responses: WireResponse[] = [];
  let rest = text;
  while (rest !== '') {
    const headEnd = rest.indexOf('\r\n\r\n');
    if (headEnd === -1) break;
    const head = rest.slice(0, headEnd);
    rest = rest.slice(headEnd + 4);
    const length = /^content-length: (\d+)$/im.exec(head)?.[1];
    if (length !== undefined) {
      responses.push({ head, body: rest.slice(0, Number(length)), complete: rest.length >= Number(length) });
      rest = rest.slice(Number(length));
      continue;
    }
    const response: WireResponse = { head, body: '', complete: false };
    responses.push(response);
    for (;;) {
      const lineEnd = rest.indexOf('\r\n');
      if (lineEnd === -1) return responses;
      const size = Number.parseInt(rest.slice(0, lineEnd), 16);
      response.body += rest.slice(lineEnd + 2, lineEnd + 2 + size);
      rest = rest.slice(lineEnd + 2 + size + 2);
      if (size !== 0) continue;
      response.complete = true;
      break;
    }
  }
  return responses;
}
