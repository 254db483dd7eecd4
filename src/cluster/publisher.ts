import type { SeqTicket } from '../stamp/sequence.js';
import type { Draft, Wish } from '../stamp/stamper.js';
import type { PublishResult, Scope } from '../types.js';
import type { WireEvent } from '../wire/frame.js';
import type { Bus } from './bus.js';
import type { BusHost } from './bus-host.js';
import { type Command, commandEnvelope, dataField, dataFieldAround, eventHead, isWholeJson } from './envelope.js';
import { Numbers, type NumbersParts } from './numbers.js';
import { headroomAfter, MAX_PREDICTIONS } from './prediction.js';
import type { NumberedPublish, NumberedResult, RedisLike } from './redis-like.js';

/** What a publisher has to work with. */
export interface PublisherParts extends Omit<NumbersParts, 'report'> {
  bus: Bus;
  host: BusHost;
  adapter: RedisLike;
  channel: string;
  instanceId: string;
  /** Takes a number and publishes in one step; `undefined` where that cannot be. */
  atomic: RedisLike['publishNumbered'] | undefined;
}

/** A draft with a key. */
type NumberedDraft = Draft & { ticket: SeqTicket };

const hasKey = (draft: Draft): draft is NumberedDraft => draft.ticket !== undefined;

/** A number as Redis writes it, of those that are believed. */
const NUMBER = /^(?:0|[1-9]\d{0,14})$/;

/** Makes envelopes of events and sends them in call order, each with the number its key is due. */
export class Publisher {
  readonly #parts: PublisherParts;
  readonly #numbers: Numbers;

  constructor(parts: PublisherParts) {
    this.#parts = parts;
    this.#numbers = new Numbers({ ...parts, report: (error) => parts.host.error(error) });
  }

  publish(scope: Scope, data: unknown, wish: Wish): Promise<PublishResult> {
    const { atomic, stamper, kv } = this.#parts;
    const draft = stamper.draft(data, wish, (now) => stamper.newId(now));
    if (!hasKey(draft)) return this.#whole(scope, draft.render(undefined), wish);
    if (atomic === undefined) {
      if (kv !== undefined) return this.#fetched(scope, draft, wish);
      const event = draft.render(draft.ticket.seq);
      this.#numbers.takeFromMemory(draft.ticket);
      return this.#whole(scope, event, wish);
    }
    const around = draft.around();
    return around === undefined ? this.#predicted(scope, draft, wish) : this.#atomic(scope, draft, around, wish);
  }

  command(command: Command): Promise<PublishResult> {
    const { bus, host, instanceId } = this.#parts;
    const n = bus.nextNumber();
    const message = commandEnvelope(command, n, instanceId);
    return bus.publish({
      n,
      deliverHere: () => host.obey(command),
      send: () => this.#send(message),
    });
  }

  /** An event whose text is known. */
  #whole(scope: Scope, event: WireEvent, wish: Wish): Promise<PublishResult> {
    const { bus, host } = this.#parts;
    const n = bus.nextNumber();
    const message = this.#message(scope, event, n, wish);
    return bus.publish({
      n,
      scope,
      paced: wish.paced,
      id: () => event.id,
      deliverHere: () => host.deliver(scope, event, false),
      send: () => this.#send(message),
      echoOf: (received) => (received === message ? { event, asText: false } : undefined),
    });
  }

  /** The number is put between two pieces of text by Redis, which publishes in the same step. */
  #atomic(
    scope: Scope,
    draft: NumberedDraft,
    around: { before: string; after: string },
    { paced }: Wish,
  ): Promise<PublishResult> {
    const { bus, host, stamper } = this.#parts;
    const { ticket, id, event, retry } = draft;
    const n = bus.nextNumber();
    const head = this.#head(scope, { id, event, retry }, n);
    const field = dataFieldAround(around);
    const before = `${head}${field.before}`;
    const { after } = field;
    let seq: number | undefined;
    return bus.publish({
      n,
      scope,
      paced,
      id: () => id,
      deliverHere: () => {
        seq ??= this.#numbers.takeFromMemory(ticket);
        return host.deliver(scope, { id, event, retry, text: `${around.before}${seq}${around.after}` }, false);
      },
      send: () => {
        const floor = stamper.nextNumber(ticket.key);
        return this.#publishNumbered(draft, { floor, before, after }).then((taken) => {
          this.#numbers.took(ticket, taken.seq, seq === taken.seq);
          seq ??= taken.seq;
        });
      },
      echoOf: (message) => {
        // A comparison of wholes is faster than startsWith.
        if (message.slice(0, before.length) !== before || !message.endsWith(after)) return undefined;
        const number = message.slice(before.length, -after.length);
        // Data that is too deep went as text, which is written otherwise.
        if (!NUMBER.test(number) || after !== `${around.after}}`) return undefined;
        seq = Number(number);
        stamper.take({ ...ticket, seq });
        const text = `${around.before}${number}${around.after}`;
        return { event: { id, event, retry, text, json: true }, asText: true };
      },
    });
  }

  /** The text needs its number first: it is predicted, and Redis publishes only if the prediction holds. */
  #predicted(scope: Scope, draft: NumberedDraft, wish: Wish): Promise<PublishResult> {
    const { bus, host, stamper } = this.#parts;
    const { ticket } = draft;
    const n = bus.nextNumber();
    let { seq } = ticket;
    let event = draft.render(seq);
    draft.keep();
    const predict = (number: number) => {
      if (number === seq) return;
      event = draft.render(number);
      seq = number;
    };
    /** Redis gave it this number, or may have. */
    let fixed = false;
    let taken = false;
    return bus.publish({
      n,
      scope,
      paced: wish.paced,
      id: () => event.id,
      holdBack: true,
      deliverHere: () => {
        if (!fixed) predict(stamper.nextNumber(ticket.key));
        if (!taken) this.#numbers.takeFromMemory(ticket, undefined, seq);
        return host.deliver(scope, event, false);
      },
      send: async (over) => {
        predict(stamper.nextNumber(ticket.key));
        for (let tries = 1; tries <= MAX_PREDICTIONS && !over(); tries += 1) {
          fixed = true;
          // The number is in the text already, so none is put between the pieces.
          const before = this.#message(scope, event, n, wish);
          const result = await this.#publishNumbered(draft, { floor: seq, expected: seq, before, after: '' });
          if (result.published) {
            taken = true;
            return this.#numbers.took(ticket, result.seq);
          }
          fixed = over();
          if (!fixed) predict(result.seq + headroomAfter(tries));
        }
        throw new Error(`other publishers took ${MAX_PREDICTIONS} numbers of the key in the meantime`);
      },
    });
  }

  /** The number is fetched first; events leave in call order all the same. */
  #fetched(scope: Scope, draft: NumberedDraft, wish: Wish): Promise<PublishResult> {
    const { bus, host, kv } = this.#parts;
    const { ticket, id, event: name, retry } = draft;
    const n = bus.nextNumber();
    const around = draft.around();
    let event = around === undefined ? draft.render(ticket.seq) : undefined;
    if (around === undefined) draft.keep();
    let seq: number | undefined;
    const numbered = (number: number): WireEvent => {
      if (around !== undefined) {
        event = { id, event: name, retry, text: `${around.before}${number}${around.after}` };
      } else if (event === undefined || number !== ticket.seq) {
        event = draft.render(number);
      }
      // Only now: the serializer may refuse a number.
      seq = number;
      return event;
    };
    const known = () => (seq === undefined || event === undefined ? undefined : event);
    const asked = kv === undefined ? undefined : this.#numbers.ask(kv, ticket);
    return bus.publish({
      n,
      scope,
      paced: wish.paced,
      id: () => (event === undefined ? id : event.id),
      before: async () => {
        if (kv === undefined || asked === undefined) return;
        const number = await this.#numbers.settle(kv, ticket, asked);
        if (seq === undefined) numbered(number);
      },
      deliverHere: () => {
        const here = known() ?? numbered(this.#numbers.takeFromMemory(ticket));
        return host.deliver(scope, here, false);
      },
      send: () => {
        const sent = known() ?? numbered(this.#numbers.takeFromMemory(ticket));
        return this.#send(this.#message(scope, sent, n, wish));
      },
    });
  }

  /** Takes as many turns as what has a number does, so that answers that are there at once are heard in call order. */
  async #send(message: string): Promise<void> {
    const { adapter, channel } = this.#parts;
    await adapter.publish(channel, message);
  }

  #publishNumbered(
    { ticket }: NumberedDraft,
    publish: Pick<NumberedPublish, 'floor' | 'expected' | 'before' | 'after'>,
  ): Promise<NumberedResult> {
    const { atomic, channel, numbers } = this.#parts;
    if (atomic === undefined) return Promise.reject(new Error('the adapter cannot number'));
    const key = this.#numbers.counterOf(ticket);
    const ttlMs = this.#numbers.lifetimeMs(ticket);
    return Promise.resolve(atomic(channel, { key, startAt: numbers.startAt, ttlMs, ...publish }));
  }

  #message(scope: Scope, event: WireEvent, n: string, wish: Wish): string {
    const json = this.#parts.stamper.writesJson(wish) || isWholeJson(event.text);
    return `${this.#head(scope, event, n)}${dataField(event.text, json)}`;
  }

  #head(scope: Scope, event: Omit<WireEvent, 'text'>, n: string): string {
    const { bus, instanceId } = this.#parts;
    return eventHead(scope, event, n, instanceId, bus.gaveEarly(event.id));
  }
}
