import type { Scope } from '../types.js';
import type { WireEvent } from '../wire/frame.js';

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

const MAX_SCOPES = 10_000;

/** An event as it came, with its data, which was parsed to see that it is JSON. */
export interface Canonical {
  n: string;
  scope: Scope;
  event: WireEvent;
  data: unknown;
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
    const text = message.slice(length, -1).trim();
    let data: unknown;
    try {
      data = JSON.parse(text);
    } catch {
      return undefined;
    }
    return {
      n,
      scope: kind === 'user' || kind === 'room' ? this.#scopeOf(kind, name) : { kind: 'all' },
      data,
      event: {
        id: ownText(id),
        event,
        retry: retry === undefined ? undefined : Number(retry),
        text,
        json: isOneLine(text),
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

/** Whether JSON text can go on the wire as it is. */
export const isOneLine = (text: string) => !text.includes('\n') && !text.includes('\r') && text.isWellFormed();

/** The text, which needs no escapes, without the message that it was cut out of. */
const ownText = (text: string) => String(JSON.parse(`"${text}"`));
