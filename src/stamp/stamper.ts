import { isRecord, refuse } from '../checks.js';
import { SSEKifyError, show } from '../errors.js';
import type { SendOptions } from '../types.js';
import { checkEvent, checkId, checkRetry } from '../wire/fields.js';
import type { WireEvent } from '../wire/frame.js';
import { addFields, isPlainObject } from './fields.js';
import { snowflakeIds, timestampIds } from './ids.js';
import type { AutoFieldsSettings, SeqSettings } from './options.js';
import { type SeqTicket, Sequence } from './sequence.js';

/** What the stamper needs of a hub's settings. */
export interface StampSettings {
  autoFields: AutoFieldsSettings;
  enableSeq: boolean;
  seq: SeqSettings;
  serializer: (data: unknown) => unknown;
  maxPayloadBytes: number;
}

/** The checked options of one send. */
export interface Wish {
  event: string | undefined;
  id: string | undefined;
  retry: number | undefined;
  text: boolean;
}

const NO_WISH: Wish = { event: undefined, id: undefined, retry: undefined, text: false };

/** Checks the options of a send; misuse throws before anything happens. */
export function readSendOptions(options: SendOptions | undefined, data: unknown): Wish {
  if (options === undefined) return NO_WISH;
  if (!isRecord(options)) return refuse('options', options, 'an object');
  const { event, id, retry, text, ...others } = options;
  for (const name of Object.keys(others)) refuse(`options.${name}`, others[name], 'only event, id, retry and text');
  if (text !== undefined && typeof text !== 'boolean') return refuse('options.text', text, 'true or false');
  if (text === true && typeof data !== 'string') {
    throw new SSEKifyError('INVALID_TEXT', `data is ${show(data)}: expected a string, since text is true.`);
  }
  return {
    event: event === undefined ? undefined : checkEvent(event),
    id: id === undefined ? undefined : checkId(id),
    retry: retry === undefined ? undefined : checkRetry(retry),
    text: text === true,
  };
}

/** Turns what a caller sends into what goes on the wire: fields, number, text, id. */
export class Stamper {
  readonly #settings: StampSettings;
  readonly #sequence: Sequence;
  readonly #nextId: (() => string) | undefined;

  constructor(settings: StampSettings, instanceId: string, now: () => number) {
    this.#settings = settings;
    this.#sequence = new Sequence(settings.seq, now);
    const { frameIdPolicy, nodeId } = settings.seq;
    if (frameIdPolicy === 'snowflake') this.#nextId = snowflakeIds(nodeId);
    else if (frameIdPolicy !== 'none') this.#nextId = timestampIds(instanceId);
  }

  /** Numbers given on this instance. */
  seqIncrs = 0;

  /**
   * Stamps an event. One that is `live` only gets no automatic id, since it is not recorded.
   * @throws SSEKifyError when the data cannot be sent
   */
  stamp(data: unknown, wish: Wish, { live = false } = {}): WireEvent {
    let stamped = data;
    let ticket: SeqTicket | undefined;
    if (!wish.text && isPlainObject(data)) {
      const fields = this.#guarded('a field', () => addFields(data, this.#settings.autoFields));
      if (this.#settings.enableSeq) ticket = this.#guarded('seq', () => this.#sequence.ticket(fields));
      if (ticket !== undefined) fields[this.#settings.seq.fieldName] = ticket.seq;
      stamped = fields;
    }
    const text = this.#serialize(stamped, wish);
    const id = wish.id ?? (live ? undefined : this.#automaticId(stamped, ticket?.seq));
    if (ticket !== undefined) {
      this.#sequence.take(ticket);
      this.seqIncrs += 1;
    }
    return { id, event: wish.event, retry: wish.retry, text };
  }

  /** Serializes what the library itself sends, or sends as a heartbeat: the data and nothing else. */
  plain(data: unknown, event: string): WireEvent {
    return { event, text: this.#serialize(data, NO_WISH) };
  }

  #serialize(data: unknown, wish: Wish): string {
    const { serializer, maxPayloadBytes } = this.#settings;
    let text: unknown = data;
    if (!wish.text) {
      try {
        text = serializer(data);
      } catch (cause) {
        throw new SSEKifyError('NOT_SERIALIZABLE', `data (${show(data)}) could not be serialized.`, { cause });
      }
    }
    if (typeof text !== 'string') {
      throw new SSEKifyError('NOT_SERIALIZABLE', `data (${show(data)}) serializes to no text.`);
    }
    // Three bytes a UTF-16 unit is the most UTF-8 needs, so most payloads are not measured twice.
    if (maxPayloadBytes > 0 && text.length * 3 > maxPayloadBytes) {
      const bytes = Buffer.byteLength(text);
      if (bytes > maxPayloadBytes) {
        throw new SSEKifyError(
          'PAYLOAD_TOO_LARGE',
          `data has ${bytes} UTF-8 bytes as text, more than maxPayloadBytes (${maxPayloadBytes}).`,
        );
      }
    }
    return text;
  }

  /** An id for a place in the stream where no event is. */
  positionId(): string | undefined {
    return this.#nextId?.();
  }

  #automaticId(data: unknown, seq: number | undefined): string | undefined {
    const { frameIdPolicy } = this.#settings.seq;
    if (typeof frameIdPolicy !== 'function') return this.#nextId?.();
    return this.#guarded('an id', () => {
      const id = frameIdPolicy(data, seq);
      return id === undefined || id === null ? undefined : checkId(id);
    });
  }

  #guarded<Result>(what: string, run: () => Result): Result {
    try {
      return run();
    } catch (cause) {
      if (cause instanceof SSEKifyError && cause.code === 'REQUEST_ID_REQUIRED') throw cause;
      throw new SSEKifyError('STAMP_FAILED', `the function that gives ${what} failed: ${String(cause)}`, { cause });
    }
  }
}
