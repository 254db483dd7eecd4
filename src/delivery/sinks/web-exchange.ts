import { hasMethods } from '../../checks.js';
import { SSEKifyError, show } from '../../errors.js';
import { type HeaderChange, requestedEventId } from '../../wire/head.js';
import { onceAborted } from '../abort.js';
import type { Exchange } from './exchange.js';
import type { SinkOwner } from './sink.js';
import { WebSink } from './web-sink.js';

/** @throws SSEKifyError INVALID_RESPONSE */
export function checkRequest(value: unknown): Request {
  // Frameworks have classes of their own, and runtimes more than one: what is used has to be there.
  if (typeof value === 'object' && value !== null && isRequest(value)) return value;
  throw new SSEKifyError('INVALID_RESPONSE', `request is ${show(value)}: expected a Fetch Request (Hono: c.req.raw).`);
}

function isRequest(value: object): value is Request {
  return (
    typeof Reflect.get(value, 'url') === 'string' &&
    typeof Reflect.get(value, 'method') === 'string' &&
    hasMethods(Reflect.get(value, 'headers'), ['get'])
  );
}

/** A web-standard request, whose response is made here. */
export class WebExchange implements Exchange {
  readonly #request: Request;
  #answer: { status: number; headers: Headers; body: ReadableStream<Uint8Array> | string | null } = {
    status: 200,
    headers: new Headers(),
    body: null,
  };
  #letGo: (() => void) | undefined;
  #sink: WebSink | undefined;
  readonly begun = false;

  constructor(request: Request) {
    this.#request = request;
  }

  get headOnly(): boolean {
    return this.#request.method === 'HEAD';
  }

  get lastEventId(): string | undefined {
    const { headers, url } = this.#request;
    const position = headers.get('last-event-id') ?? undefined;
    return requestedEventId({ url, headers: { 'last-event-id': position } });
  }

  /** The response; with an empty body when nothing answered. */
  get response(): Response {
    const { status, headers, body } = this.#answer;
    return new Response(body, { status, headers });
  }

  refusal(): 'gone' | undefined {
    return this.#request.signal?.aborted === true ? 'gone' : undefined;
  }

  begin(headers: readonly HeaderChange[]): void {
    this.answer(200, headers);
  }

  answer(status: number, changes: readonly HeaderChange[], text?: string, last = false): void {
    const headers = headersOf(changes);
    // Only requests of HTTP/1 may have one, and only responses of HTTP/1.
    if (last && this.#request.headers.has('connection')) headers.set('connection', 'close');
    this.#answer = { status, headers, body: text ?? null };
  }

  open(owner: SinkOwner): WebSink {
    const sink = new WebSink({
      drained: () => owner.drained(),
      closed: (reason) => {
        this.#letGo?.();
        owner.closed(reason);
      },
    });
    this.#sink = sink;
    this.#answer.body = sink.body;
    const { signal } = this.#request;
    if (signal !== undefined && signal !== null) this.#letGo = onceAborted(signal, () => sink.abort());
    return sink;
  }

  /** Ends the stream of a response that nobody will get. */
  abandon(): void {
    this.#sink?.destroy('error');
  }
}

/** The headers that result when each change replaces those before it. */
function headersOf(changes: readonly HeaderChange[]): Headers {
  const headers = new Headers();
  for (const { name, value } of changes) {
    headers.delete(name);
    if (value === undefined) continue;
    for (const each of typeof value === 'object' ? value : [String(value)]) headers.append(name, each);
  }
  return headers;
}
