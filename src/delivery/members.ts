import type { Connection } from './connection.js';

/** Connections by a name. One alone, the usual case of a user, stands for itself and costs no Set. */
export class Members {
  readonly #named = new Map<string, Connection | Set<Connection>>();

  /** How many names have a connection. */
  get size(): number {
    return this.#named.size;
  }

  names(): Iterable<string> {
    return this.#named.keys();
  }

  /** One connection, several, or none. */
  get(name: string): Connection | Set<Connection> | undefined {
    return this.#named.get(name);
  }

  of(name: string): Iterable<Connection> {
    const members = this.#named.get(name);
    if (members === undefined) return [];
    return members instanceof Set ? members : [members];
  }

  countOf(name: string): number {
    const members = this.#named.get(name);
    if (members === undefined) return 0;
    return members instanceof Set ? members.size : 1;
  }

  /** @returns whether it is the only one */
  add(name: string, connection: Connection): boolean {
    const members = this.#named.get(name);
    if (members === undefined) this.#named.set(name, connection);
    else if (members instanceof Set) members.add(connection);
    else this.#named.set(name, new Set([members, connection]));
    return members === undefined;
  }

  remove(name: string, connection: Connection): void {
    const members = this.#named.get(name);
    if (members === connection) this.#named.delete(name);
    else if (members instanceof Set && members.delete(connection) && members.size === 0) this.#named.delete(name);
  }
}
