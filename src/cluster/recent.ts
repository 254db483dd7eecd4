import type { Scope } from '../types.js';

const MAX_KEYS = 50_000;
const MAX_AGE_MS = 120_000;
const LOOK_AT_CLOCK_EVERY = 64;
const MAX_ORIGINS = 10_000;
const ORIGIN_LENGTH = 10;

/** Numbers of publishes, and ids with the scope they were for; with several scopes where one id was for more than one. */
class Generation {
  readonly numbers = new Set<string>();
  readonly ids = new Map<string, Scope | Scope[]>();

  get size(): number {
    return this.numbers.size + this.ids.size;
  }

  hasId(id: string, scope: Scope): boolean {
    const known = this.ids.get(id);
    if (known === undefined) return false;
    return Array.isArray(known) ? known.some((each) => isSame(each, scope)) : isSame(known, scope);
  }

  addId(id: string, scope: Scope): void {
    const known = this.ids.get(id);
    if (known === undefined) this.ids.set(id, scope);
    else if (Array.isArray(known)) known.push(scope);
    else this.ids.set(id, [known, scope]);
  }
}

/**
 * Remembers what was delivered last, which is not to be delivered again: an event by its id in its scope, else by its
 * publish's number. It remembers at least the latest 50,000 or those of two minutes, and at most about twice that.
 */
export class Recent {
  readonly #now: () => number;
  #young = new Generation();
  #old = new Generation();
  #youngSince: number;
  #adds = 0;
  /**
   * The highest counter that was delivered of ids like `<ms>-<origin>-<counter>`. An id with a higher one is new, which need
   * not be looked up; and nearly all ids are. Origins beyond so many are looked up.
   */
  readonly #highest = new Map<string, number>();

  constructor(now: () => number) {
    this.#now = now;
    this.#youngSince = now();
  }

  /** Adds what is delivered now. @returns whether it was delivered before */
  seen(n: string | undefined, scope: Scope | undefined, id: string | undefined): boolean {
    if (!(scope !== undefined && id && this.#isNew(id)) && this.has(n, scope, id)) return true;
    this.#remember(n, scope, id);
    return false;
  }

  has(n: string | undefined, scope: Scope | undefined, id: string | undefined): boolean {
    if (scope !== undefined && id) return this.#young.hasId(id, scope) || this.#old.hasId(id, scope);
    return n !== undefined && (this.#young.numbers.has(n) || this.#old.numbers.has(n));
  }

  add(n: string | undefined, scope: Scope | undefined, id: string | undefined): void {
    if (id) this.#isNew(id);
    this.#remember(n, scope, id);
  }

  #remember(n: string | undefined, scope: Scope | undefined, id: string | undefined): void {
    this.#adds += 1;
    if (this.#young.size >= MAX_KEYS || (this.#adds % LOOK_AT_CLOCK_EVERY === 0 && this.#isAged())) {
      this.#old = this.#young;
      this.#young = new Generation();
      this.#youngSince = this.#now();
    }
    if (scope !== undefined && id) this.#young.addId(id, scope);
    else if (n !== undefined) this.#young.numbers.add(n);
  }

  /** Notes an id. @returns whether it certainly was not there before; whatever it looks like, one that was never is */
  #isNew(id: string): boolean {
    const dash = id.lastIndexOf('-');
    const origin = id.slice(Math.max(0, dash - ORIGIN_LENGTH), Math.max(0, dash));
    const counter = Number(id.slice(dash + 1));
    const highest = this.#highest.get(origin) ?? -1;
    if (!(counter > highest) || (highest < 0 && this.#highest.size >= MAX_ORIGINS)) return false;
    this.#highest.set(origin, counter);
    return true;
  }

  #isAged(): boolean {
    return this.#now() - this.#youngSince > MAX_AGE_MS;
  }
}

const isSame = (one: Scope, other: Scope) => one === other || (one.kind === other.kind && one.name === other.name);
