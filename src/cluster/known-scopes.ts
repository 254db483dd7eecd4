import type { HeldScope } from '../delivery/recent-buffer.js';

const MAX_SCOPES = 10_000;
const MAX_NAME_LENGTH = 256;

type NamedScope = HeldScope & { name: string };

/** One object for each user, or room, that events came for: a name of its own, not a piece of a message. */
export class KnownScopes {
  readonly #kind: 'user' | 'room';
  readonly #named = new Map<string, NamedScope>();
  /** By a hash of the name's bytes, which is had without making text of them; the last one of those that share it. */
  readonly #hashed = new Map<number, NamedScope>();

  constructor(kind: 'user' | 'room') {
    this.#kind = kind;
  }

  /** @returns `undefined` for what is too long to be a name */
  find(bytes: Buffer, from: number, to: number): HeldScope | undefined {
    let hash = 0;
    for (let at = from; at < to; at += 1) hash = (Math.imul(hash, 31) + (bytes[at] ?? 0)) | 0;
    const known = this.#hashed.get(hash);
    if (known !== undefined && isSame(known.name, bytes, from, to)) return known;
    const name = bytes.toString('utf8', from, to);
    if (name === '' || name.length > MAX_NAME_LENGTH) return undefined;
    const scope = this.#scopeOf(name);
    this.#hashed.set(hash, scope);
    return scope;
  }

  #scopeOf(name: string): NamedScope {
    let scope = this.#named.get(name);
    if (scope === undefined) {
      if (this.#named.size >= MAX_SCOPES) {
        this.#named.clear();
        this.#hashed.clear();
      }
      scope = { kind: this.#kind, name, recent: undefined };
      this.#named.set(name, scope);
    }
    return scope;
  }
}

/** Whether a name is ASCII, and just these bytes: in other names a character is not the byte of its number. */
function isSame(name: string, bytes: Buffer, from: number, to: number): boolean {
  if (name.length !== to - from) return false;
  for (let index = 0; index < name.length; index += 1) {
    const code = name.charCodeAt(index);
    if (code > 127 || code !== bytes[from + index]) return false;
  }
  return true;
}
