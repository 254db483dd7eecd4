import { type HeaderChange, requestedEventId } from '../../wire/head.js';
import type { Exchange } from './exchange.js';
import { hadSink, NodeSink } from './node-sink.js';
import { hangUpAfter, isGone, type RawResponse, sendHead } from './response.js';
import type { SinkOwner } from './sink.js';

/** RFC 9110, section 6.4.1. */
const WITHOUT_BODY = [204, 304];

/** The response of a Node server. */
export class NodeExchange implements Exchange {
  readonly #res: RawResponse;

  constructor(res: RawResponse) {
    this.#res = res;
  }

  get headOnly(): boolean {
    const { req, statusCode = 200 } = this.#res;
    return req?.method === 'HEAD' || (this.begun && WITHOUT_BODY.includes(statusCode));
  }

  get begun(): boolean {
    return this.#res.headersSent === true;
  }

  get lastEventId(): string | undefined {
    return requestedEventId(this.#res.req);
  }

  refusal(): 'gone' | 'duplicate' | undefined {
    if (isGone(this.#res)) return 'gone';
    return hadSink(this.#res) ? 'duplicate' : undefined;
  }

  begin(headers: readonly HeaderChange[]): void {
    sendHead(this.#res, 200, headers);
  }

  answer(status: number, headers: readonly HeaderChange[], text?: string, last = false): void {
    if (last) hangUpAfter(this.#res);
    sendHead(this.#res, status, headers);
    this.#res.end(text);
  }

  open(owner: SinkOwner): NodeSink {
    return new NodeSink(this.#res, owner);
  }
}
