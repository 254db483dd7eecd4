const MAX_ROOMS = 1000;
const MAX_STAYS = 100;

/** A stay in a room: what the room said after `from` and up to `to` was delivered. */
interface Stay {
  /** Asked for when it is needed: what is joined before the log is read begins where that is yet to be found. */
  from(): number;
  to: number;
}

/**
 * Which parts of rooms' histories a connection got, so that joining a room again with replay repeats nothing. Over 1,000
 * rooms, or 100 stays in one, the oldest are forgotten: what was said then may be repeated.
 */
export class ServedRooms {
  /** Rooms of which no stay is known, since it was registered with them, are served from here; from nowhere once any is forgotten. */
  #from: number;
  readonly #stays = new Map<string, Stay[]>();

  /** @param position - where the connection resumed */
  constructor(position: number) {
    this.#from = position;
  }

  joined(room: string, from: () => number): void {
    this.#add(room, { from, to: Number.POSITIVE_INFINITY });
  }

  left(room: string, to: number): void {
    const stay = this.#stays.get(room)?.at(-1);
    const from = this.#from;
    if (stay === undefined) this.#add(room, { from: () => from, to });
    else stay.to = to;
  }

  /** Tells of what a room says whether it got that by now. */
  had(room: string): (order: number) => boolean {
    const stays = (this.#stays.get(room) ?? []).map(({ from, to }) => ({ from: from(), to }));
    return (order) => stays.some(({ from, to }) => order > from && order <= to);
  }

  /** The place up to which it got, or was told to have lost, all that the room said after a position. */
  allUpTo(room: string, position: number): number {
    const first = this.#stays.get(room)?.filter(({ from }) => from() <= position) ?? [];
    return Math.max(position, ...first.map(({ to }) => to));
  }

  #add(room: string, stay: Stay): void {
    const stays = this.#stays.get(room) ?? [];
    this.#stays.delete(room);
    this.#stays.set(room, stays);
    stays.push(stay);
    if (stays.length > MAX_STAYS) stays.shift();
    if (this.#stays.size <= MAX_ROOMS) return;
    for (const oldest of this.#stays.keys()) {
      this.#stays.delete(oldest);
      this.#from = Number.POSITIVE_INFINITY;
      return;
    }
  }
}
