import type { CountedId } from './counted-ids.js';
import { CountedPlaces } from './delivery/counted-places.js';
import { LocalIds } from './delivery/local-ids.js';
import { PlacedIds } from './delivery/placed-ids.js';
import type { KnownPlaces } from './delivery/position-index.js';
import type { HubSettings } from './options.js';
import { ownText } from './own-text.js';
import { createInstanceId, type NewId, timestampIds } from './stamp/ids.js';
import { encodeEvent, type Frame, type WireEvent } from './wire/frame.js';

/** Where the ids of an instance come from. */
export type IdSource = 'alone' | 'channel' | 'log';

/** What it has to work with. */
export interface EventIdsParts {
  source: IdSource;
  instanceId: string;
  frameIdPolicy: HubSettings['seq']['frameIdPolicy'];
  /** Makes the automatic ids of what is published. */
  newId: NewId;
  /** The newest place in the send order. */
  order(): number;
}

/** Gives events their automatic ids, and knows as far as it can be known from an id at which place its event was sent. */
export class EventIds {
  readonly #parts: EventIdsParts;
  readonly #local: LocalIds;
  /** Ids of places where no event is; of an instance of their own, so that none is ever an event's too. */
  readonly #marks = timestampIds(createInstanceId());
  /** Makes the automatic ids of an instance that is alone. */
  readonly #placed: PlacedIds | undefined;
  /** Notes the automatic ids that come from a channel. */
  readonly #counted: CountedPlaces | undefined;

  constructor(parts: EventIdsParts) {
    const { source, instanceId, frameIdPolicy } = parts;
    this.#parts = parts;
    this.#local = new LocalIds(instanceId);
    if (source === 'alone' && frameIdPolicy === 'timestamp') this.#placed = new PlacedIds(instanceId);
    if (source === 'channel') this.#counted = new CountedPlaces();
  }

  /** The id of an event that stays on this instance. */
  readonly newLocalId: NewId = (now) => {
    // Nothing else is sent between here and the moment when the event takes that place.
    if (this.#placed !== undefined) return this.#placed.at(this.#parts.order() + 1, now);
    const id = this.#parts.newId(now);
    if (id === undefined || this.#parts.source !== 'channel') return id;
    return this.#local.next() ?? id;
  };

  /** A fresh id for a place where no event is. */
  newPositionId(): string {
    return this.#local.next() ?? this.#marks(Date.now());
  }

  /** An event came from the channel; ids of what is sent here next build on its. */
  follow(id: string | CountedId | undefined): void {
    if (id !== undefined && id !== '') this.#local.follow(id);
  }

  /** An event came from the channel, and takes this place. @returns whether its id tells the place */
  take(id: CountedId, order: number): boolean {
    this.follow(id);
    return this.#counted?.take(id, order) === true;
  }

  /** What knows the places of unique ids; `undefined` when nothing but a table of them all can. */
  get places(): KnownPlaces | undefined {
    const placed = this.#placed;
    if (placed === undefined) return this.#counted;
    return {
      placeOf: (id) => placed.placeOf(id, this.#parts.order()),
      forgets: false,
      mayHaveForgotten: () => false,
    };
  }

  /** Encodes the event at a place. */
  encode(event: WireEvent, order: number): Frame {
    if (this.#counted === undefined) return encodeEvent(event, order, this.#placed !== undefined);
    // An id that comes again, or is of another kind, needs a table.
    event.unique = event.id !== undefined && this.#counted.take(event.id, order);
    if (!event.unique && event.id !== undefined) event.id = ownText(event.id);
    return encodeEvent(event, order, true);
  }
}
