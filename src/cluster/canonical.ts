import { ownText } from '../own-text.js';
import type { Scope } from '../types.js';
import type { WireEvent } from '../wire/frame.js';
import { isJson } from './json-text.js';

// No quote, no backslash, no control character: what stands between quotes is the text itself. Short, because what is cut
// out of a message keeps all of the message in memory.
const NAME = '[^"\\\\\\x00-\\x1f]';
const WORD = '[!#-[\\]-~]';

/** An event's envelope up to its data, as ssekify writes it. */
const HEAD = new RegExp(
  [
    `^\\{"v":1,"n":"(${WORD}{1,64})","type":"(?:all"|(user|room)","target":"(${NAME}{1,256})")`,
    `(?:,"event":"(${NAME}{0,64})")?,"id":"(${WORD}{1,128})"(?:,"retry":(0|[1-9]\\d{0,8}))?`,
    `,"at":[1-9]\\d{0,15},"origin":"[a-z0-9]{1,64}","data":`,
  ].join(''),
);

const STRING = '"[^"\\\\\\x00-\\x1f]*"';
const VALUE = `(?:${STRING}|-?(?:0|[1-9]\\d*)(?:\\.\\d+)?(?:[eE][+-]?\\d+)?|true|false|null)`;
/** Most data: an object of plain values, in whose strings nothing is escaped. This sees that it is JSON without making it. */
const FLAT = new RegExp(`^\\{(?:${STRING}:${VALUE}(?:,${STRING}:${VALUE})*)?\\}$`);
const MAX_FLAT_LENGTH = 4096;
const LINE_BREAK = /[\r\n]/;

const MAX_SCOPES = 10_000;

/** An event as it came. */
export interface Canonical {
  n: string;
  scope: Scope;
  event: WireEvent;
  asText: false;
}

/**
 * Reads envelopes that look as ssekify writes them, in one pass over the head and one over the data. Of all others, and of
 * those whose data is not good, it says nothing: they are read the long way, which understands these just the same.
 */
export class CanonicalReader {
  /** One object for each scope that events came for: a name of its own, not a piece of a message. */
  readonly #scopes = { user: new Map<string, Scope>(), room: new Map<string, Scope>() };

  read(message: string): Canonical | undefined {
    const head = HEAD.exec(message);
    if (head === null || !message.endsWith('}')) return undefined;
    const [{ length }, n = '', kind, name = '', event, id = '', retry] = head;
    const data = message.slice(length, -1);
    const isFlat = data.length <= MAX_FLAT_LENGTH && FLAT.test(data);
    if (!isFlat && !isJson(data)) return undefined;
    const text = isFlat ? data : data.trim();
    return {
      n,
      scope: kind === 'user' || kind === 'room' ? this.#scopeOf(kind, name) : { kind: 'all' },
      asText: false,
      event: {
        id: ownText(id),
        event,
        retry: retry === undefined ? undefined : Number(retry),
        text,
        json: (isFlat || !LINE_BREAK.test(text)) && text.isWellFormed(),
      },
    };
  }

  #scopeOf(kind: 'user' | 'room', name: string): Scope {
    const scopes = this.#scopes[kind];
    const known = scopes.get(name);
    if (known !== undefined) return known;
    if (scopes.size >= MAX_SCOPES) scopes.clear();
    const scope: Scope = { kind, name: ownText(name) };
    scopes.set(scope.name ?? '', scope);
    return scope;
  }
}
