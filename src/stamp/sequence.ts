import { nameOf } from '../names.js';
import { LocalCounters } from './counters.js';
import type { PlainObject } from './fields.js';
import type { SeqSettings } from './options.js';

/** The number an event is to get, before it is known whether the event can be sent. */
export interface SeqTicket {
  key: string;
  seq: number;
  /** The event is the last of its key. */
  final: boolean;
}

const isFinal = (data: PlainObject) => data.final === true || data.phase === 'done' || data.phase === 'error';

/** A number so large that it leaves no room for more is a mistake, or malice. */
const MAX_BELIEVED = 2 ** 52;

/** Numbers the events of each key. */
export class Sequence {
  readonly #settings: SeqSettings;
  readonly #counters: LocalCounters;

  constructor(settings: SeqSettings, now: () => number) {
    this.#settings = settings;
    this.#counters = new LocalCounters(settings.startAt, now);
  }

  /** The number `data` is due; `undefined` when it has no key, or a number of its own. */
  ticket(data: PlainObject): SeqTicket | undefined {
    if (data[this.#settings.fieldName] !== undefined) return undefined;
    const key = this.#keyOf(data);
    return key === undefined ? undefined : { key, seq: this.#counters.next(key), final: this.#isFinal(data) };
  }

  /** The number that data from elsewhere has under its key; `undefined` when it has none, or none to be believed. */
  numberOf(data: PlainObject): SeqTicket | undefined {
    const seq = data[this.#settings.fieldName];
    if (typeof seq !== 'number' || !Number.isInteger(seq) || seq < 0 || seq > MAX_BELIEVED) return undefined;
    try {
      const key = this.#keyOf(data);
      return key === undefined ? undefined : { key, seq, final: this.#isFinal(data) };
    } catch {
      // The application's functions expect its own data, not what others publish.
      return undefined;
    }
  }

  /** The number that is next under a key. */
  next(key: string): number {
    return this.#counters.next(key);
  }

  /** Takes the number: its event is sent. */
  take({ key, seq, final }: SeqTicket): void {
    this.#counters.take(key, seq, final);
  }

  #keyOf(data: PlainObject): string | undefined {
    const { keyExtractor } = this.#settings;
    return keyExtractor === undefined ? (nameOf(data.requestId) ?? nameOf(data.streamId)) : nameOf(keyExtractor(data));
  }

  #isFinal(data: PlainObject): boolean {
    const { finalPredicate } = this.#settings;
    return finalPredicate === undefined ? isFinal(data) : finalPredicate(data) === true;
  }
}
