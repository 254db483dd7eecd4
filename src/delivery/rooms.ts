import type { Clock, Wakeable } from './clock.js';

/** What rooms need of their hub. */
export interface RoomsParts {
  clock: Clock;
  /** Milliseconds for which a room without connections stays, and then goes with its history; `undefined`: it goes, and that stays. */
  emptyTimeoutMs(room: string): number | undefined;
  /** A room's history goes. */
  forget(room: string): void;
  tell(event: 'room-created' | 'room-removed', room: string): void;
}

/** A room that nobody is in, until its time is over. */
class EmptyRoom implements Wakeable {
  wakeSlot: number | undefined;
  readonly #end: () => void;

  constructor(end: () => void) {
    this.#end = end;
  }

  wake(): undefined {
    this.#end();
  }
}

/** When rooms begin and end. One that somebody is in is known to the registry; here are those that wait for somebody. */
export class Rooms {
  readonly #parts: RoomsParts;
  readonly #empty = new Map<string, EmptyRoom>();

  constructor(parts: RoomsParts) {
    this.#parts = parts;
  }

  /** Somebody is in the room, and nobody was. */
  opened(room: string): void {
    const empty = this.#empty.get(room);
    if (empty === undefined) {
      this.#parts.tell('room-created', room);
      return;
    }
    this.#empty.delete(room);
    this.#parts.clock.cancel(empty);
  }

  /** Nobody is in the room any more. */
  emptied(room: string): void {
    const { clock } = this.#parts;
    const timeoutMs = this.#parts.emptyTimeoutMs(room);
    if (timeoutMs === undefined) this.#parts.tell('room-removed', room);
    else if (timeoutMs === 0) this.#remove(room);
    else {
      const empty = new EmptyRoom(() => this.#remove(room));
      this.#empty.set(room, empty);
      clock.wakeAt(empty, clock.now() + timeoutMs);
    }
  }

  #remove(room: string): void {
    this.#empty.delete(room);
    this.#parts.forget(room);
    this.#parts.tell('room-removed', room);
  }
}
