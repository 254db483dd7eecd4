import type { Connection } from './connection.js';
import { Members } from './members.js';
import type { Scope } from './scope.js';

/** Who is here: connections by user and by room. Maps inside, so that any string is a safe name. */
export class Registry {
  readonly #all = new Set<Connection>();
  readonly users = new Members();
  readonly rooms = new Members();

  get all(): ReadonlySet<Connection> {
    return this.#all;
  }

  /** Whom a scope's events are for: one connection, several, or none. */
  targetsOf(scope: Scope): Connection | ReadonlySet<Connection> | undefined {
    if (scope.kind === 'all') return this.#all;
    return (scope.kind === 'user' ? this.users : this.rooms).get(scope.name);
  }

  add(connection: Connection): void {
    this.#all.add(connection);
    this.users.add(connection.userId, connection);
  }

  /** Takes it out of everything. */
  remove(connection: Connection): void {
    this.#all.delete(connection);
    this.users.remove(connection.userId, connection);
    for (const room of connection.rooms ?? []) this.rooms.remove(room, connection);
    connection.rooms = undefined;
  }

  /** @returns `'opened'` for the first in the room, `'joined'` for another, `false` for one that was in it already */
  join(connection: Connection, room: string): 'opened' | 'joined' | false {
    connection.rooms ??= new Set();
    if (connection.rooms.has(room)) return false;
    connection.rooms.add(room);
    return this.rooms.add(room, connection) ? 'opened' : 'joined';
  }

  /** @returns whether it was in the room */
  leave(connection: Connection, room: string): boolean {
    if (connection.rooms?.delete(room) !== true) return false;
    if (connection.rooms.size === 0) connection.rooms = undefined;
    this.rooms.remove(room, connection);
    return true;
  }
}
