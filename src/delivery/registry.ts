import type { Connection } from './connection.js';

/** Who is here: connections by user and by room. Maps, so that any string is a safe name. */
export class Registry {
  readonly #all = new Set<Connection>();
  readonly #users = new Map<string, Set<Connection>>();
  readonly #rooms = new Map<string, Set<Connection>>();

  get all(): ReadonlySet<Connection> {
    return this.#all;
  }

  get users(): ReadonlyMap<string, ReadonlySet<Connection>> {
    return this.#users;
  }

  get rooms(): ReadonlyMap<string, ReadonlySet<Connection>> {
    return this.#rooms;
  }

  add(connection: Connection): void {
    this.#all.add(connection);
    put(this.#users, connection.userId, connection);
  }

  /** Takes it out of everything. */
  remove(connection: Connection): void {
    this.#all.delete(connection);
    take(this.#users, connection.userId, connection);
    for (const room of connection.rooms ?? []) take(this.#rooms, room, connection);
    connection.rooms = undefined;
  }

  /** @returns whether it was not in the room yet */
  join(connection: Connection, room: string): boolean {
    connection.rooms ??= new Set();
    if (connection.rooms.has(room)) return false;
    connection.rooms.add(room);
    put(this.#rooms, room, connection);
    return true;
  }

  /** @returns whether it was in the room */
  leave(connection: Connection, room: string): boolean {
    if (connection.rooms?.delete(room) !== true) return false;
    if (connection.rooms.size === 0) connection.rooms = undefined;
    take(this.#rooms, room, connection);
    return true;
  }
}

function put(map: Map<string, Set<Connection>>, name: string, connection: Connection): void {
  const members = map.get(name);
  if (members === undefined) map.set(name, new Set([connection]));
  else members.add(connection);
}

function take(map: Map<string, Set<Connection>>, name: string, connection: Connection): void {
  const members = map.get(name);
  members?.delete(connection);
  if (members?.size === 0) map.delete(name);
}
