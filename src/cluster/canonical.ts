import type { HeldScope } from '../delivery/recent-buffer.js';
import { ownText } from '../own-text.js';
import type { WireEvent } from '../wire/frame.js';
import { isJson } from './json-text.js';

// No quote, no backslash, no control character: what stands between quotes is the text itself. Short, because what is cut
// out of a message keeps all of the message in memory.
const NAME = '[^"\\\\\\x00-\\x1f]';
const WORD = '[!#-[\\]-~]';

/** What stands between an envelope's target and its data, as ssekify writes it. */
const FIELDS = [
  `(?:,"event":"(${NAME}{0,64})")?,"id":"(${WORD}{1,128})"(?:,"retry":(0|[1-9]\\d{0,8}))?`,
  `,"at":[1-9]\\d{0,15},"origin":"[a-z0-9]{1,64}","data":`,
].join('');
const HEAD = new RegExp(
  `^\\{"v":1,"n":"${WORD}{1,64}","type":"(?:all"|(user|room)","target":"(${NAME}{1,256})")(${FIELDS})`,
);
const SOURCE = new RegExp(`^${FIELDS}`);

/** An object of plain values, in whose strings nothing is escaped. This sees that it is JSON without making it. */
function flat(character: string): RegExp {
  const string = `"${character}*"`;
  const value = `(?:${string}|-?(?:0|[1-9]\\d*)(?:\\.\\d+)?(?:[eE][+-]?\\d+)?|true|false|null)`;
  return new RegExp(`^\\{(?:${string}:${value}(?:,${string}:${value})*)?\\}$`);
}

/** Most data. */
const FLAT_ASCII = flat('[ !#-[\\]-~]');
const FLAT = flat(NAME);
const MAX_FLAT_LENGTH = 4096;
const MAX_SOURCE_DATA_LENGTH = 1024;
const ASCII = /^[ -~]*$/;
const LINE_BREAK = /[\r\n]/;

const MAX_SCOPES = 10_000;

/** An event as it came. */
export interface Canonical {
  scope: HeldScope;
  event: WireEvent;
  asText: false;
}

/**
 * Reads envelopes that look as ssekify writes them, in one pass over the head and one over the data. Of all others, and of
 * those whose data is not good, it says nothing: they are read the long way, which understands these just the same.
 */
export class CanonicalReader {
  /** One object for each scope that events came for: a name of its own, not a piece of a message. */
  readonly #users = new Map<string, HeldScope>();
  readonly #rooms = new Map<string, HeldScope>();

  read(message: string): Canonical | undefined {
    const head = HEAD.exec(message);
    if (head === null || message.at(-1) !== '}') return undefined;
    const [{ length }, kind, name = '', fields = '', event, id = '', retry] = head;
    const scope: HeldScope = kind === 'user' || kind === 'room' ? this.#scopeOf(kind, name) : { kind: 'all' };
    const data = message.slice(length, -1);
    if (data.length <= MAX_SOURCE_DATA_LENGTH && FLAT_ASCII.test(data) && (event === undefined || ASCII.test(event))) {
      const source = message.slice(length - fields.length, -1);
      return { scope, asText: false, event: wireEvent(id, event, retry, data, true, source) };
    }
    const isFlat = data.length <= MAX_FLAT_LENGTH && FLAT.test(data);
    if (!isFlat && !isJson(data)) return undefined;
    const text = isFlat ? data : data.trim();
    const json = (isFlat || !LINE_BREAK.test(text)) && text.isWellFormed();
    return { scope, asText: false, event: wireEvent(ownText(id), event, retry, text, json) };
  }

  #scopeOf(kind: 'user' | 'room', name: string): HeldScope {
    const scopes = kind === 'user' ? this.#users : this.#rooms;
    const known = scopes.get(name);
    if (known !== undefined) return known;
    if (scopes.size >= MAX_SCOPES) scopes.clear();
    const own = ownText(name);
    const scope = { kind, name: own, recent: undefined };
    scopes.set(own, scope);
    return scope;
  }
}

/** Reads again what is kept as a {@link WireEvent.source}. */
export function eventOf(source: string): WireEvent {
  const [{ length } = '', event, id = '', retry] = SOURCE.exec(source) ?? [];
  return wireEvent(id, event, retry, source.slice(length), true, source);
}

function wireEvent(
  id: string,
  event: string | undefined,
  retry: string | undefined,
  text: string,
  json: boolean,
  source?: string,
): WireEvent {
  const bytes = source === undefined ? undefined : text.length;
  return { id, event, retry: retry === undefined ? undefined : Number(retry), text, bytes, json, source };
}
