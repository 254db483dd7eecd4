import { reasonOf, SSEKifyError } from '../errors.js';
import { afterSilence } from '../settling.js';
import type { KeyValue } from '../stamp/key-value.js';
import type { SeqTicket } from '../stamp/sequence.js';
import type { Stamper } from '../stamp/stamper.js';
import type { Counters } from '../stats.js';

/** How numbers are kept in Redis. */
export interface NumberSettings {
  startAt: number;
  redisKeyPrefix: string;
  redisTTLSeconds: number;
}

/** What the numbers have to work with. */
export interface NumbersParts {
  stamper: Stamper;
  counters: Counters;
  numbers: NumberSettings;
  /** Counters in Redis; `undefined` = memory only. */
  kv: KeyValue | undefined;
  /** Memory was chosen, so that nobody need be told. */
  memoryOnly: boolean;
  report(error: SSEKifyError): void;
}

const RELEASED_MS = 60_000;
const LIFT_AT_ONCE = 100;
/** A store that is silent for so long has failed. */
const STORE_MS = 2000;

/** The numbers of published events: from Redis, or from memory where or while Redis gives none. */
export class Numbers {
  readonly #parts: NumbersParts;
  #storeFailed = false;
  #expiryFailed = false;

  constructor(parts: NumbersParts) {
    this.#parts = parts;
  }

  /** The name of a key's counter. */
  counterOf({ key }: SeqTicket): string {
    return `${this.#parts.numbers.redisKeyPrefix}${key}`;
  }

  /** Milliseconds after its last number when a counter goes. */
  lifetimeMs({ final }: SeqTicket): number {
    return final ? RELEASED_MS : this.#parts.numbers.redisTTLSeconds * 1000;
  }

  /** Redis gave the event a number. `known`: memory was told of it, by the event's echo. */
  took(ticket: SeqTicket, seq: number, known = false): void {
    this.#storeFailed = false;
    if (!known) this.#parts.stamper.take({ ...ticket, seq });
    this.#parts.counters.seqIncrsRedis += 1;
  }

  /** Takes a number from memory, the next or this one, and says, once until Redis gives numbers again, that it had to. */
  takeFromMemory(ticket: SeqTicket, cause?: unknown, seq = this.#parts.stamper.nextNumber(ticket.key)): number {
    const { stamper, counters, memoryOnly, report } = this.#parts;
    stamper.take({ ...ticket, seq });
    counters.seqIncrsLocal += 1;
    if (memoryOnly) return seq;
    counters.lastSeqKvFallbackAt = Date.now();
    if (this.#storeFailed) return seq;
    this.#storeFailed = true;
    const why = cause === undefined ? {} : { cause };
    report(new SSEKifyError('SEQ_KV_FALLBACK', 'seq_kv_unavailable_fallback_memory', { level: 'warn', ...why }));
    return seq;
  }

  /** Asks the store for a number, which {@link Numbers.settle} then makes good; asking for several at once costs one way. */
  ask(kv: KeyValue, ticket: SeqTicket): Promise<number> {
    const asked = inTime(this.#next(kv, ticket));
    // Whoever settles it handles it; until then it is nobody's.
    asked.catch(() => undefined);
    return asked;
  }

  /** The number an event gets when it is its turn: the asked one, or a later one, when that would go back. */
  async settle(kv: KeyValue, ticket: SeqTicket, asked: Promise<number>): Promise<number> {
    try {
      const first = await asked;
      const seq = await inTime(this.#lift(kv, ticket, first));
      this.took(ticket, seq);
      this.#expire(kv, ticket);
      return seq;
    } catch (cause) {
      return this.takeFromMemory(ticket, cause);
    }
  }

  async #next(kv: KeyValue, ticket: SeqTicket): Promise<number> {
    const count = Number(await kv.incr(this.counterOf(ticket)));
    if (!Number.isSafeInteger(count)) throw new Error(`the store's incr gave ${String(count)}`);
    return count - 1 + this.#parts.numbers.startAt;
  }

  /** Numbers given by sendTo* are beyond the counter, and so may be others' by now: it is lifted past them. */
  async #lift(kv: KeyValue, ticket: SeqTicket, first: number): Promise<number> {
    // Who waits for it has given up by then, and a number that somebody made up may be too far to be reached.
    const until = performance.now() + STORE_MS;
    let seq = first;
    for (;;) {
      const missing = this.#parts.stamper.nextNumber(ticket.key) - seq;
      if (missing <= 0) return seq;
      const more = Array.from({ length: Math.min(missing, LIFT_AT_ONCE) }, () => this.#next(kv, ticket));
      const lifted = Math.max(...(await Promise.all(more)));
      if (lifted <= seq || performance.now() > until) throw new Error(`the store's incr does not get beyond ${lifted}`);
      seq = lifted;
    }
  }

  #expire(kv: KeyValue, ticket: SeqTicket): void {
    const name = this.counterOf(ticket);
    const ms = this.lifetimeMs(ticket);
    const expiring = async () =>
      ticket.final && kv.pexpire !== undefined ? kv.pexpire(name, ms) : kv.expire(name, Math.ceil(ms / 1000));
    expiring().catch((cause: unknown) => {
      if (this.#expiryFailed) return;
      this.#expiryFailed = true;
      const message = `a counter got no expiry and stays in the store: ${reasonOf(cause)}`;
      this.#parts.report(new SSEKifyError('BUS_ERROR', message, { level: 'warn', cause }));
    });
  }
}

/** Rejects when the store does not answer. */
async function inTime(answer: Promise<number>): Promise<number> {
  let answered: (() => void) | undefined;
  const late = new Promise<never>((_, reject) => {
    answered = afterSilence(STORE_MS, () => reject(new Error(`no answer of the store in ${STORE_MS} ms`)));
  });
  try {
    return await Promise.race([answer, late]);
  } finally {
    answered?.();
  }
}
