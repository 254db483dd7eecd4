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

/** When rooms begin and end. What listeners do between does not matter: a room ends once for each time that it began. */
export class Rooms {
  readonly #parts: RoomsParts;
  /** Those that began and have not ended; one that nobody is in waits for somebody. */
  readonly #begun = new Map<string, EmptyRoom | undefined>();
  /** Those whose beginning is being told to listeners, and whether they are empty again. */
  readonly #beginning = new Map<string, boolean>();

  constructor(parts: RoomsParts) {
    this.#parts = parts;
  }

  /** Somebody is in the room, and nobody was. */
  opened(room: string): void {
    const isNew = !this.#begun.has(room);
    this.#stopWaiting(room);
    this.#begun.set(room, undefined);
    if (isNew || this.#beginning.has(room)) this.#beginning.set(room, false);
    if (!isNew) return;
    this.#parts.tell('room-created', room);
    const isEmpty = this.#beginning.get(room);
    this.#beginning.delete(room);
    if (isEmpty) this.emptied(room);
  }

  /** Nobody is in the room any more. */
  emptied(room: string): void {
    if (!this.#begun.has(room)) return;
    if (this.#beginning.has(room)) {
      this.#beginning.set(room, true);
      return;
    }
    const { clock } = this.#parts;
    const timeoutMs = this.#parts.emptyTimeoutMs(room);
    if (timeoutMs === undefined || timeoutMs === 0) {
      this.#remove(room, timeoutMs === 0);
      return;
    }
    this.#stopWaiting(room);
    const empty = new EmptyRoom(() => this.#remove(room, true));
    this.#begun.set(room, empty);
    clock.wakeAt(empty, clock.now() + timeoutMs);
  }

  #stopWaiting(room: string): void {
    const empty = this.#begun.get(room);
    if (empty !== undefined) this.#parts.clock.cancel(empty);
  }

  #remove(room: string, withHistory: boolean): void {
    this.#begun.delete(room);
    if (withHistory) this.#parts.forget(room);
    this.#parts.tell('room-removed', room);
  }
}
