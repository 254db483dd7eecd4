import { Readable } from 'node:stream';
import { SSEKify, type SSEKifyOptions } from '../../src/index.js';
import { atEnd } from '../helpers/cleanup.js';
import { readEvents, type StreamReader } from '../helpers/client.js';
import { endWithTest } from '../helpers/server.js';

/** A hub that ends with the test. */
export function createHub(options?: SSEKifyOptions): SSEKify {
  const sse = new SSEKify(options);
  endWithTest(sse);
  return sse;
}

/** A Fetch request for a stream. */
export const requestFor = (path = '/sse', init?: RequestInit): Request => new Request(`http://localhost${path}`, init);

/** The body of a response, which has one. */
export function bodyOf({ body }: Response): NonNullable<Response['body']> {
  if (body === null) throw new Error('the response has no body');
  return body;
}

/** Reads the events of a response until the test ends. */
export function read(response: Response): StreamReader {
  const body = Readable.fromWeb(bodyOf(response));
  atEnd(() => body.destroy());
  return readEvents(body);
}

/** Takes pieces out of a body one by one. */
export function pieces(response: Response) {
  const reader = bodyOf(response).getReader();
  const decoder = new TextDecoder();
  return {
    reader,
    /** The next piece; `undefined` at the end. */
    async next(): Promise<string | undefined> {
      const { done, value } = await reader.read();
      return done ? undefined : decoder.decode(value, { stream: true });
    },
    /** All there is until the end. */
    async rest(): Promise<string> {
      let text = '';
      for (;;) {
        const { done, value } = await reader.read();
        if (done) return text;
        text += decoder.decode(value, { stream: true });
      }
    },
  };
}
