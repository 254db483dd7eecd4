import type { Clock, Wakeable } from '../delivery/clock.js';
import { SSEKifyError } from '../errors.js';
import type { PublishResult, Scope } from '../types.js';
import type { WireEvent } from '../wire/frame.js';
import { type Command, decodeEnvelope, type Envelope, type Received } from './envelope.js';
import { Lane } from './lane.js';
import { type DeliverHere, Publication } from './publication.js';
import { RecentKeys } from './recent-keys.js';
import type { RedisLike } from './redis-like.js';

/** What `stats().bus` tells. */
export interface BusStats {
  /** `'none'`: alone. `'connecting'`: never subscribed yet. `'up'`: subscribed. `'down'`: lost, and trying again. */
  state: 'none' | 'connecting' | 'up' | 'down';
  /** Publishes that the channel took. */
  published: number;
  /** Publishes that the channel refused. */
  refused: number;
  /** Publishes that were not answered in time, so that nobody knows. */
  unanswered: number;
  /** Publishes waiting for their answer or their echo. */
  pending: number;
  /** Envelopes received, own ones included. */
  received: number;
  /** Envelopes that were delivered before, and so not again. */
  duplicates: number;
  /** Envelopes dropped as unusable. */
  invalid: number;
  /** Own events delivered here without the channel, because it was down or the echo stayed away. */
  fallbacks: number;
  /** Times the subscription was lost. */
  outages: number;
}

/** What the bus hands over to. */
export interface BusHost {
  /** Delivers an event. @returns connections that got it */
  deliver(scope: Scope, event: WireEvent, fromChannel: boolean): number;
  /** Does something with a user's connections. @returns connections concerned */
  obey(command: Command): number;
  /** An envelope was received. */
  heard(received: Received, about: Partial<Envelope>): void;
  /** Events may be missing from here, or stand in another order than the channel's. */
  tear(): void;
  error(error: SSEKifyError): void;
}

/** What the bus has to work with. */
export interface BusParts {
  adapter: RedisLike;
  channel: string;
  instanceId: string;
  clock: Clock;
  host: BusHost;
  maxPayloadBytes: number;
}

/** What is to be published. */
export interface Outgoing {
  /** Of {@link Bus.nextNumber}. */
  n: string;
  /** Absent for a command. */
  scope?: Scope | undefined;
  id?: string | undefined;
  deliverHere: DeliverHere;
  /** Sends it; called when it is its turn. */
  send: () => Promise<unknown>;
  /** It, and what comes after it, waits until this settles. */
  after?: Promise<unknown> | undefined;
  /** What comes after it waits for its answer. */
  holdBack?: boolean;
}

// A little less than the 5 s that are promised, for the clock's slots.
const ANSWER_MS = 4800;
const ECHO_MS = 2000;
const SUBSCRIBE_AGAIN_MS = 1000;

const NOTHING_COUNTED = {
  published: 0,
  refused: 0,
  unanswered: 0,
  received: 0,
  duplicates: 0,
  invalid: 0,
  fallbacks: 0,
  outages: 0,
};

/**
 * One order for all instances: what is published goes to the channel and is delivered when it comes back from it, here as
 * everywhere. While the channel is down it is delivered here alone, and the caller is told.
 */
export class Bus implements Wakeable {
  wakeSlot: number | undefined;

  readonly #parts: BusParts;
  readonly #recent: RecentKeys;
  readonly #lane = new Lane();
  /** Publications without answer, or without echo, by their number; in the order of their deadlines, nearly. */
  readonly #pending = new Map<string, Publication>();
  readonly #counters = { ...NOTHING_COUNTED };
  #state: 'connecting' | 'up' | 'down' = 'connecting';
  #everUp = false;
  #closed = false;
  #publishes = 0;
  #saidInOutage = new Set<string>();
  #whenUp: { resolve: () => void; reject: (error: SSEKifyError) => void }[] = [];
  readonly #retry: Wakeable = { wakeSlot: undefined, wake: () => this.#subscribe() };

  constructor(parts: BusParts) {
    this.#parts = parts;
    this.#recent = new RecentKeys(() => parts.clock.now());
    const { adapter } = parts;
    adapter.on('message', (channel, message) => this.#onMessage(channel, message));
    adapter.on('error', (cause) => this.#onError(cause));
    adapter.onState?.((state) => (state === 'up' ? this.#onUp() : this.#onDown()));
    this.#subscribe();
  }

  /** The stats of a bus that is not there. */
  static idle(): BusStats {
    return { state: 'none', ...NOTHING_COUNTED, pending: 0 };
  }

  stats(): BusStats {
    return { state: this.#state, ...this.#counters, pending: this.#pending.size };
  }

  ready(): Promise<void> {
    if (this.#state === 'up') return Promise.resolve();
    return new Promise((resolve, reject) => this.#whenUp.push({ resolve, reject }));
  }

  /** A number no other publish has, on any instance. */
  nextNumber(): string {
    this.#publishes += 1;
    return `${this.#parts.instanceId}-${this.#publishes.toString(36)}`;
  }

  /** Publishes when it is its turn: after all that was published before it. */
  publish({ n, scope, id, deliverHere, send, after, holdBack = false }: Outgoing): Promise<PublishResult> {
    const { clock } = this.#parts;
    const deadline = clock.now() + ANSWER_MS;
    const publication = new Publication(n, keyOf(n, scope, id), id, deadline, deliverHere);
    this.#pending.set(n, publication);
    clock.wakeAt(this, deadline);
    if (after !== undefined) this.#lane.run(() => Promise.race([after, publication.result]));
    this.#lane.run(() => {
      if (publication.settled) return undefined;
      const answered = this.#send(publication, send);
      return holdBack ? Promise.race([answered, publication.result]) : undefined;
    });
    return publication.result;
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    this.#parts.clock.cancel(this);
    this.#parts.clock.cancel(this.#retry);
    const over = new SSEKifyError('SHUTDOWN', 'the hub was shut down.');
    for (const { reject } of this.#whenUp.splice(0)) reject(over);
    for (const publication of this.#pending.values())
      if (!publication.settled) this.#fail(publication, over, 'unknown');
    this.#pending.clear();
    await this.#parts.adapter.close?.();
  }

  wake(now: number): number | undefined {
    let next = Number.POSITIVE_INFINITY;
    for (const publication of this.#pending.values()) {
      if (publication.deadline > now) {
        next = Math.min(next, publication.deadline);
        continue;
      }
      if (publication.taken) this.#missEcho(publication);
      else this.#fail(publication, new Error(`no answer in ${ANSWER_MS} ms`), 'unknown');
    }
    return next === Number.POSITIVE_INFINITY ? undefined : next;
  }

  async #send(publication: Publication, send: () => Promise<unknown>): Promise<void> {
    try {
      await send();
    } catch (error) {
      this.#fail(publication, error, outcomeOf(error));
      return;
    }
    this.#take(publication);
  }

  /** The channel took it; from now on its echo is awaited. */
  #take(publication: Publication): void {
    if (publication.taken || publication.settled) return;
    publication.taken = true;
    this.#counters.published += 1;
    if (publication.echoed) {
      this.#pending.delete(publication.n);
    } else if (this.#parts.adapter.echo === false) {
      this.#pending.delete(publication.n);
      this.#deliverHere(publication);
    } else if (this.#state !== 'up') {
      this.#fallBack(publication);
    } else {
      // Moved to the end: deadlines of echoes come after those of answers.
      this.#pending.delete(publication.n);
      this.#pending.set(publication.n, publication);
      publication.deadline = this.#parts.clock.now() + ECHO_MS;
      this.#parts.clock.wakeAt(this, publication.deadline);
    }
    publication.succeed();
  }

  #fail(publication: Publication, cause: unknown, outcome: 'refused' | 'unknown'): void {
    if (publication.settled) return;
    if (publication.echoed) {
      // It came back, so the channel has it, whatever the answer was.
      this.#take(publication);
      return;
    }
    if (outcome === 'refused') this.#counters.refused += 1;
    else this.#counters.unanswered += 1;
    this.#fallBack(publication);
    const { id, delivered } = publication;
    const what = outcome === 'refused' ? 'was refused by the channel' : 'was not answered by the channel';
    const why = cause instanceof Error ? cause.message : String(cause);
    publication.fail(
      new SSEKifyError(
        outcome === 'refused' ? 'PUBLISH_REFUSED' : 'PUBLISH_UNANSWERED',
        `a publish ${what} (${why}); ${delivered} connections here got it. Retry it with its id.`,
        { cause, id, outcome, delivered },
      ),
    );
  }

  #missEcho(publication: Publication): void {
    this.#fallBack(publication);
    this.#say('ECHO_LOST', 'a published event did not come back from the channel; it was delivered here.', undefined);
  }

  /** Delivers here what the channel did not bring back, once. */
  #fallBack(publication: Publication): void {
    this.#pending.delete(publication.n);
    if (this.#recent.has(publication.key)) return;
    this.#counters.fallbacks += 1;
    this.#deliverHere(publication);
    this.#parts.host.tear();
  }

  #deliverHere(publication: Publication): void {
    if (this.#recent.has(publication.key)) return;
    this.#recent.add(publication.key);
    publication.delivered = publication.deliverHere();
  }

  #onMessage(channel: string, message: string): void {
    const { host, maxPayloadBytes } = this.#parts;
    if (this.#closed || channel !== this.#parts.channel) return;
    this.#counters.received += 1;
    let received: Received;
    try {
      received = decodeEnvelope(message, maxPayloadBytes);
    } catch (error) {
      this.#counters.invalid += 1;
      host.error(
        error instanceof SSEKifyError ? error : new SSEKifyError('INVALID_ENVELOPE', String(error), { cause: error }),
      );
      return;
    }
    const { n } = received;
    const publication = n === undefined ? undefined : this.#pending.get(n);
    const id = 'event' in received ? received.event.id : undefined;
    const key =
      n === undefined && id === undefined
        ? undefined
        : keyOf(n ?? '', 'scope' in received ? received.scope : undefined, id);
    host.heard(received, received.about);
    if (key !== undefined && this.#recent.has(key)) {
      this.#counters.duplicates += 1;
    } else {
      if (key !== undefined) this.#recent.add(key);
      const delivered =
        'event' in received ? host.deliver(received.scope, received.event, true) : host.obey(received.command);
      if (publication !== undefined) publication.delivered = delivered;
    }
    if (publication === undefined) return;
    publication.echoed = true;
    if (publication.taken) this.#pending.delete(publication.n);
    else this.#take(publication);
  }

  #subscribe(): undefined {
    const { adapter, channel, clock } = this.#parts;
    attempt(() => adapter.subscribe(channel)).then(
      () => this.#onUp(),
      (cause: unknown) => {
        if (this.#closed) return;
        this.#onError(cause);
        clock.wakeAt(this.#retry, clock.now() + SUBSCRIBE_AGAIN_MS);
      },
    );
  }

  #onUp(): void {
    if (this.#closed || this.#state === 'up') return;
    // While it was down others may have published what never got here.
    if (this.#everUp) this.#parts.host.tear();
    this.#everUp = true;
    this.#state = 'up';
    this.#saidInOutage.clear();
    for (const { resolve } of this.#whenUp.splice(0)) resolve();
  }

  #onDown(): void {
    if (this.#closed || this.#state !== 'up') return;
    this.#state = 'down';
    this.#counters.outages += 1;
    this.#say(
      'BUS_DOWN',
      'the subscription to the channel was lost; events of other instances are missing until it is back.',
      undefined,
    );
    for (const publication of this.#pending.values()) if (publication.taken) this.#fallBack(publication);
  }

  #onError(cause: unknown): void {
    if (this.#closed) return;
    const why = cause instanceof Error && cause.message !== '' ? cause.message : String(cause);
    this.#say('BUS_ERROR', `the channel's client reported: ${why}`, cause);
  }

  /** Reports, each thing once until the channel is back: a client that reconnects repeats itself. */
  #say(code: 'BUS_ERROR' | 'BUS_DOWN' | 'ECHO_LOST', message: string, cause: unknown): void {
    if (this.#saidInOutage.has(message)) return;
    if (this.#saidInOutage.size < 100) this.#saidInOutage.add(message);
    this.#parts.host.error(new SSEKifyError(code, message, cause === undefined ? { level: 'warn' } : { cause }));
  }
}

function keyOf(n: string, scope: Scope | undefined, id: string | undefined): string {
  return id === undefined || id === '' || scope === undefined ? n : `${id} ${scope.kind} ${scope.name ?? ''}`;
}

function outcomeOf(error: unknown): 'refused' | 'unknown' {
  return typeof error === 'object' && error !== null && Reflect.get(error, 'outcome') === 'unknown'
    ? 'unknown'
    : 'refused';
}

/** Turns what is thrown at once into a rejection. */
async function attempt(run: () => unknown): Promise<unknown> {
  return run();
}
