import type { IncomingHttpHeaders, OutgoingHttpHeaders } from 'node:http';
import { openStream, type StreamReader } from '../helpers/client.js';
import { type Answer, type RequestOptions, request } from '../helpers/example.js';
import { openHttp2, requestHttp2 } from '../helpers/http2.js';

/** A stream, over whichever version of HTTP. */
export interface Stream extends StreamReader {
  readonly status: number;
  readonly headers: IncomingHttpHeaders;
  /** Leaves. */
  close(): void;
}

/** How an example is spoken to. */
export interface Transport {
  open(url: string, headers?: OutgoingHttpHeaders): Promise<Stream>;
  request(url: string, options?: RequestOptions): Promise<Answer>;
}

export const overHttp1: Transport = {
  open: (url, headers = {}) => openStream(url, { headers }),
  request,
};

export const overHttp2: Transport = {
  async open(url, headers = {}) {
    const { origin, pathname, search } = new URL(url);
    const client = await openHttp2(origin, pathname + search, { sent: headers });
    const close = () => client.session.destroy();
    return Object.assign(client, { status: Number(client.headers[':status']), close });
  },
  request: requestHttp2,
};
