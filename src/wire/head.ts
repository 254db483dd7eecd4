import { validateHeaderName, validateHeaderValue } from 'node:http';
import { SSEKifyError, show } from '../errors.js';

/** One header to set, or with `undefined` to remove, on the response. */
export interface HeaderChange {
  name: string;
  value: string | number | readonly string[] | undefined;
}

/** The head every stream has; `X-Accel-Buffering` turns off nginx' buffering, `no-transform` that of compressing proxies. */
export const STREAM_HEADERS: readonly HeaderChange[] = [
  { name: 'Content-Type', value: 'text/event-stream; charset=utf-8' },
  { name: 'Cache-Control', value: 'no-cache, no-transform' },
  { name: 'X-Accel-Buffering', value: 'no' },
];

// Node frames the body and keeps the connection; a value from outside would corrupt the stream.
const FRAMING = new Set(['content-length', 'transfer-encoding', 'connection']);

function refuseHeader(option: string, name: string, value: unknown, cause: unknown): never {
  const allowed = 'a legal name, and a string, number or array of strings';
  throw new SSEKifyError('INVALID_HEADER', `${option}[${show(name)}] is ${show(value)}: expected ${allowed}.`, {
    cause,
  });
}

/** Checks headers before any of them touches a response. @param option - the option they are given by */
export function readHeaders(headers: Record<string, unknown>, option: string): HeaderChange[] {
  const changes: HeaderChange[] = [];
  for (const [name, value] of Object.entries(headers)) {
    try {
      validateHeaderName(name);
      if (typeof value === 'string' || typeof value === 'number') {
        validateHeaderValue(name, String(value));
      } else if (Array.isArray(value) && value.every((each): each is string => typeof each === 'string')) {
        for (const each of value) validateHeaderValue(name, each);
      } else if (value !== undefined) {
        refuseHeader(option, name, value, undefined);
      }
      if (!FRAMING.has(name.toLowerCase())) changes.push({ name, value });
    } catch (error) {
      if (error instanceof SSEKifyError) throw error;
      refuseHeader(option, name, value, error);
    }
  }
  return changes;
}

/** What is read of a request; every part may be missing on a response that some adapter made up. */
export interface RequestHead {
  method?: string | undefined;
  url?: string | undefined;
  headers?: Readonly<Record<string, string | readonly string[] | undefined>> | undefined;
}

const QUERY_NAMES = ['lastEventId', 'last-event-id', 'Last-Event-ID'];

/**
 * The position a client asks to resume from: its `Last-Event-ID` header, else its query. Header bytes reach Node as
 * latin1 while clients send UTF-8 (HTML standard, 9.2.4).
 */
export function requestedEventId(request: RequestHead | undefined): string | undefined {
  const header = request?.headers?.['last-event-id'];
  if (typeof header === 'string' && header !== '') return Buffer.from(header, 'latin1').toString('utf8');
  const url = request?.url;
  if (typeof url !== 'string') return undefined;
  const start = url.indexOf('?');
  if (start === -1) return undefined;
  const end = url.indexOf('#', start);
  const query = url.slice(start + 1, end === -1 ? undefined : end);
  for (const part of query.split('&')) {
    const equals = part.indexOf('=');
    if (equals === -1 || !QUERY_NAMES.includes(percentDecoded(part.slice(0, equals)))) continue;
    const value = percentDecoded(part.slice(equals + 1));
    if (value !== '') return value;
  }
  return undefined;
}

/** Percent-decodes once; a `+` stays one, since ids may have it. */
function percentDecoded(text: string): string {
  try {
    return decodeURIComponent(text);
  } catch {
    // Malformed percent encoding is taken literally: it is no known id, so it ends as a gap, not as a crash.
    return text;
  }
}
