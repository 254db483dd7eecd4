import { type CountedId, CountedIds } from '../counted-ids.js';
import { ownText } from '../own-text.js';
import type { Scope } from '../types.js';

const MAX_KEYS = 50_000;
const MAX_AGE_MS = 120_000;
const LOOK_AT_CLOCK_EVERY = 64;

/** Numbers of publishes, and ids that are not counted, with the scope they were for; with several scopes where one id was for more than one. */
class Generation {
  readonly numbers = new Set<string>();
  readonly ids = new Map<string, Scope | Set<string>>();
  #size = 0;

  /** Events and commands: an id counts once for each of its scopes. */
  get size(): number {
    return this.#size;
  }

  hasId(id: string, scope: Scope): boolean {
    const known = this.ids.get(id);
    if (known === undefined) return false;
    return known instanceof Set ? known.has(keyOf(scope)) : isSame(known, scope);
  }

  addId(id: string, scope: Scope): void {
    this.#size += 1;
    const known = this.ids.get(id);
    if (known === undefined) this.ids.set(id, scope);
    else if (known instanceof Set) known.add(keyOf(scope));
    else this.ids.set(id, new Set([keyOf(known), keyOf(scope)]));
  }

  addNumber(n: string): void {
    this.#size += 1;
    this.numbers.add(n);
  }
}

/**
 * Remembers what was delivered last, which is not to be delivered again: an event by its id in its scope, else by its
 * publish's number. It remembers at least the latest 50,000 or those of two minutes, and at most about twice that.
 */
export class Recent {
  readonly #now: () => number;
  /** The scopes of automatic ids; nearly all ids are such, and new. */
  readonly #counted = new CountedIds<Scope>();
  #young = new Generation();
  #old = new Generation();
  #youngSince: number;
  #adds = 0;

  constructor(now: () => number) {
    this.#now = now;
    this.#youngSince = now();
  }

  /** Adds what is delivered now. @returns whether it was delivered before */
  seen(n: string | undefined, scope: Scope | undefined, id: string | undefined): boolean {
    if (scope !== undefined && id && this.addNew(scope, id)) return false;
    if (this.has(n, scope, id)) return true;
    this.#remember(n, scope, id);
    return false;
  }

  /** Adds what is delivered now, if it is known to be new. @returns whether it did */
  addNew(scope: Scope, id: string | CountedId): boolean {
    const isNew = this.#counted.add(id, scope);
    if (isNew) this.#count();
    return isNew;
  }

  has(n: string | undefined, scope: Scope | undefined, id: string | undefined): boolean {
    if (scope === undefined || !id) return n !== undefined && (this.#young.numbers.has(n) || this.#old.numbers.has(n));
    const counted = this.#counted.get(id);
    if (counted !== undefined && isSame(counted, scope)) return true;
    return this.#young.hasId(id, scope) || this.#old.hasId(id, scope);
  }

  add(n: string | undefined, scope: Scope | undefined, id: string | undefined): void {
    if (scope === undefined || !id || !this.addNew(scope, id)) this.#remember(n, scope, id);
  }

  #remember(n: string | undefined, scope: Scope | undefined, id: string | undefined): void {
    // The id may have been cut out of a long message.
    if (scope !== undefined && id) this.#young.addId(ownText(id), scope);
    else if (n !== undefined) this.#young.addNumber(n);
    this.#count();
  }

  #count(): void {
    this.#adds += 1;
    const isFull = this.#counted.size + this.#young.size >= MAX_KEYS;
    if (!isFull && (this.#adds % LOOK_AT_CLOCK_EVERY !== 0 || !this.#isAged())) return;
    this.#old = this.#young;
    this.#young = new Generation();
    this.#counted.age();
    this.#youngSince = this.#now();
  }

  #isAged(): boolean {
    return this.#now() - this.#youngSince > MAX_AGE_MS;
  }
}

const isSame = (one: Scope, other: Scope) => one === other || (one.kind === other.kind && one.name === other.name);
const keyOf = ({ kind, name = '' }: Scope) => `${kind} ${name}`;
