import { SSEKifyError } from '../errors.js';
import type { KeyValue } from '../stamp/key-value.js';
import type { Draft, Stamper, Wish } from '../stamp/stamper.js';
import type { Counters } from '../stats.js';
import type { PublishResult, Scope } from '../types.js';
import type { WireEvent } from '../wire/frame.js';
import type { Bus, BusHost } from './bus.js';
import { type Command, commandEnvelope, dataField, eventHead, isJson } from './envelope.js';
import type { NumberedResult, RedisLike } from './redis-like.js';

/** How numbers are kept in Redis. */
export interface NumberSettings {
  startAt: number;
  redisKeyPrefix: string;
  redisTTLSeconds: number;
}

/** What a publisher has to work with. */
export interface PublisherParts {
  bus: Bus;
  host: BusHost;
  adapter: RedisLike;
  channel: string;
  instanceId: string;
  stamper: Stamper;
  counters: Counters;
  numbers: NumberSettings;
  /** Counters in Redis; `undefined` = memory only. */
  kv: KeyValue | undefined;
  /** Takes a number and publishes in one step; `undefined` where that cannot be. */
  atomic: RedisLike['publishNumbered'] | undefined;
  /** Memory was chosen, so that nobody need be told. */
  memoryOnly: boolean;
}

/** A draft with a key. */
type NumberedDraft = Draft & { ticket: NonNullable<Draft['ticket']> };

const hasKey = (draft: Draft): draft is NumberedDraft => draft.ticket !== undefined;

const RELEASED_MS = 60_000;
const MAX_PREDICTIONS = 20;
const LIFT_AT_ONCE = 100;

/** Makes envelopes of events and sends them in call order, each with the number its key is due. */
export class Publisher {
  readonly #parts: PublisherParts;
  #kvFailed = false;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
  }

  publish(scope: Scope, data: unknown, wish: Wish): Promise<PublishResult> {
    const { atomic, stamper, kv, memoryOnly } = this.#parts;
    const draft = stamper.draft(data, wish, () => stamper.newId());
    const json = stamper.writesJson(wish);
    if (!hasKey(draft)) return this.#whole(scope, draft.render(undefined), json);
    if (atomic !== undefined) {
      const around = draft.around();
      return around === undefined ? this.#predicted(scope, draft, json) : this.#atomic(scope, draft, around);
    }
    if (kv !== undefined) return this.#fetched(scope, draft, json, kv);
    if (!memoryOnly) this.#fellBackToMemory(undefined);
    return this.#whole(scope, this.#fromMemory(draft), json);
  }

  command(command: Command): Promise<PublishResult> {
    const { bus, host, adapter, channel, instanceId } = this.#parts;
    const n = bus.nextNumber();
    const message = commandEnvelope(command, n, instanceId);
    return bus.publish({
      n,
      deliverHere: () => host.obey(command),
      send: () => adapter.publish(channel, message),
    });
  }

  /** An event whose text is known. */
  #whole(scope: Scope, event: WireEvent, json: boolean): Promise<PublishResult> {
    const { bus, host, adapter, channel } = this.#parts;
    const n = bus.nextNumber();
    const message = this.#message(scope, event, n, json);
    return bus.publish({
      n,
      scope,
      id: event.id,
      deliverHere: () => host.deliver(scope, event, false),
      send: () => adapter.publish(channel, message),
    });
  }

  /** The number is put between two pieces of text by Redis, which publishes in the same step. */
  #atomic(scope: Scope, draft: NumberedDraft, around: { before: string; after: string }): Promise<PublishResult> {
    const { bus, host, instanceId, stamper } = this.#parts;
    const { ticket, id, event, retry } = draft;
    const n = bus.nextNumber();
    const before = `${eventHead(scope, { id, event, retry }, n, instanceId)},"data":${around.before}`;
    const after = `${around.after}}`;
    return bus.publish({
      n,
      scope,
      id,
      deliverHere: () => {
        const seq = stamper.nextNumber(ticket.key);
        stamper.take({ ...ticket, seq });
        return host.deliver(scope, { id, event, retry, text: `${around.before}${seq}${around.after}` }, false);
      },
      send: async () => {
        const { seq } = await this.#publishNumbered(draft, stamper.nextNumber(ticket.key), before, after);
        this.#took(ticket, seq);
      },
    });
  }

  /** The text needs its number first: it is predicted, and Redis publishes only if the prediction holds. */
  #predicted(scope: Scope, draft: NumberedDraft, json: boolean): Promise<PublishResult> {
    const { bus, host, stamper } = this.#parts;
    const { ticket } = draft;
    const n = bus.nextNumber();
    let { seq } = ticket;
    let event = draft.render(seq);
    stamper.take(ticket);
    return bus.publish({
      n,
      scope,
      id: event.id,
      holdBack: true,
      deliverHere: () => host.deliver(scope, event, false),
      send: async () => {
        for (let tries = 0; tries < MAX_PREDICTIONS; tries += 1) {
          const message = this.#message(scope, event, n, json);
          // The number is in the text already, so none is put between the pieces.
          const result = await this.#publishNumbered(draft, seq, message, '', seq);
          if (result.published) return this.#took(ticket, seq);
          seq = result.seq;
          event = draft.render(seq);
        }
        throw new Error(`other publishers took ${MAX_PREDICTIONS} numbers of the key in the meantime`);
      },
    });
  }

  /** The number is fetched first; events leave in call order all the same. */
  #fetched(scope: Scope, draft: NumberedDraft, json: boolean, kv: KeyValue): Promise<PublishResult> {
    const { bus, host, adapter, channel, stamper } = this.#parts;
    const { ticket } = draft;
    const n = bus.nextNumber();
    let event = draft.render(ticket.seq);
    stamper.take(ticket);
    const number = this.#fetchNumber(kv, ticket.key, ticket.seq, ticket.final).then((seq) => {
      if (seq === undefined) return;
      this.#took(ticket, seq);
      if (seq !== ticket.seq) event = draft.render(seq);
    });
    return bus.publish({
      n,
      scope,
      id: event.id,
      after: number,
      deliverHere: () => host.deliver(scope, event, false),
      send: () => adapter.publish(channel, this.#message(scope, event, n, json)),
    });
  }

  /** @returns the number, at least `floor`; `undefined` when the store failed */
  async #fetchNumber(kv: KeyValue, key: string, floor: number, final: boolean): Promise<number | undefined> {
    const { startAt, redisKeyPrefix, redisTTLSeconds } = this.#parts.numbers;
    const name = `${redisKeyPrefix}${key}`;
    try {
      let seq = (await kv.incr(name)) - 1 + startAt;
      while (seq < floor) {
        // Numbers given by sendTo* are beyond the counter: it is lifted past them.
        const missing = Math.min(floor - seq, LIFT_AT_ONCE);
        const sums = await Promise.all(Array.from({ length: missing }, () => kv.incr(name)));
        seq = Math.max(...sums) - 1 + startAt;
      }
      const expired = final ? releaseKey(kv, name) : kv.expire(name, redisTTLSeconds);
      Promise.resolve(expired).catch((cause: unknown) => this.#fellBackToMemory(cause));
      this.#kvFailed = false;
      return seq;
    } catch (cause) {
      this.#fellBackToMemory(cause);
      return undefined;
    }
  }

  #publishNumbered(
    draft: NumberedDraft,
    floor: number,
    before: string,
    after: string,
    expected?: number,
  ): Promise<NumberedResult> {
    const { atomic, channel, numbers } = this.#parts;
    if (atomic === undefined) return Promise.reject(new Error('the adapter cannot number'));
    const { startAt, redisKeyPrefix, redisTTLSeconds } = numbers;
    const ttlMs = draft.ticket.final ? RELEASED_MS : redisTTLSeconds * 1000;
    const key = `${redisKeyPrefix}${draft.ticket.key}`;
    return atomic(channel, { key, startAt, floor, ttlMs, expected, before, after });
  }

  #message(scope: Scope, event: WireEvent, n: string, json: boolean): string {
    return `${eventHead(scope, event, n, this.#parts.instanceId)}${dataField(event.text, json || isJson(event.text))}`;
  }

  #fromMemory(draft: NumberedDraft): WireEvent {
    const { stamper, counters } = this.#parts;
    const event = draft.render(draft.ticket.seq);
    stamper.take(draft.ticket);
    counters.seqIncrsLocal += 1;
    return event;
  }

  #took(ticket: NumberedDraft['ticket'], seq: number): void {
    this.#parts.stamper.take({ ...ticket, seq });
    this.#parts.counters.seqIncrsRedis += 1;
  }

  /** Numbers go on from memory; said once, until the store is back. */
  #fellBackToMemory(cause: unknown): void {
    const { counters, host } = this.#parts;
    counters.lastSeqKvFallbackAt = Date.now();
    if (this.#kvFailed) return;
    this.#kvFailed = true;
    host.error(
      new SSEKifyError('SEQ_KV_FALLBACK', 'seq_kv_unavailable_fallback_memory', {
        level: 'warn',
        ...(cause !== undefined && { cause }),
      }),
    );
  }
}

function releaseKey(kv: KeyValue, name: string): Promise<unknown> {
  return kv.pexpire === undefined ? kv.expire(name, RELEASED_MS / 1000) : kv.pexpire(name, RELEASED_MS);
}
