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

/** Numbers the events of each key. */
export class Sequence {
  readonly #settings: SeqSettings;
  readonly #counters: LocalCounters;

  constructor(settings: SeqSettings, now: () => number) {
    this.#settings = settings;
    this.#counters = new LocalCounters(settings.startAt, now);
  }

  /** Keys whose counters are held. */
  get size(): number {
    return this.#counters.size;
  }

  /** The number `data` is due; `undefined` when it has no key, or a number of its own. */
  ticket(data: PlainObject): SeqTicket | undefined {
    const { fieldName, keyExtractor, finalPredicate } = this.#settings;
    if (data[fieldName] !== undefined) return undefined;
    const key =
      keyExtractor === undefined ? (nameOf(data.requestId) ?? nameOf(data.streamId)) : nameOf(keyExtractor(data));
    if (key === undefined) return undefined;
    const final = finalPredicate === undefined ? isFinal(data) : finalPredicate(data) === true;
    return { key, seq: this.#counters.next(key), final };
  }

  /** The number that is next under a key. */
  next(key: string): number {
    return this.#counters.next(key);
  }

  /** Takes the number: its event is sent. */
  take({ key, seq, final }: SeqTicket): void {
    this.#counters.take(key, seq, final);
  }
}
