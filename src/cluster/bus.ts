import type { HeldScope } from '../delivery/recent-buffer.js';
import { messageOf, SSEKifyError } from '../errors.js';
import { attempt } from '../settling.js';
import type { PublishResult, Scope } from '../types.js';
import type { BusParts } from './bus-host.js';
import { type BusStats, NOTHING_COUNTED } from './bus-stats.js';
import { outcomeOf } from './channel-error.js';
import type { Received } from './envelope.js';
import { Hearing } from './hearing.js';
import { Lane } from './lane.js';
import { Outage } from './outage.js';
import type { Outgoing, Publication } from './publication.js';
import { Recent } from './recent.js';
import { Standing } from './standing.js';
import { ANSWER_MS, UnderWay } from './under-way.js';

/** Events that are remembered to have been given early. */
const MAX_EARLY = 50_000;

/**
 * One order for all instances: what is published goes to the channel and is delivered when it comes back from it, here as
 * everywhere. While the channel is down it is delivered here alone, and the caller is told.
 */
export class Bus {
  readonly #parts: BusParts;
  readonly #recent: Recent;
  /** What was delivered here before the channel brought it, if it ever did, by id; with its place here until it does. */
  readonly #early = new Map<string, number>();
  /** Clients here were given such events, and have their ids as positions. */
  #gaveEarly = false;
  readonly #lane = new Lane();
  readonly #underWay: UnderWay;
  readonly #counters = { ...NOTHING_COUNTED };
  readonly #hearing: Hearing;
  readonly #standing: Standing;
  #closed = false;
  #publishes = 0;
  readonly #outage: Outage;
  readonly #onError = (cause: unknown) => {
    if (!this.#closed) this.#outage.failed(cause);
  };

  constructor(parts: BusParts) {
    this.#parts = parts;
    this.#outage = new Outage('channel', (error) => parts.host.error(error));
    this.#recent = new Recent(() => parts.clock.now());
    this.#underWay = new UnderWay(parts.clock, {
      unanswered: (publication) => this.#onUnanswered(publication),
      echoMissed: (publication) => this.#missEcho(publication),
      received: () => this.#counters.received,
    });
    this.#hearing = new Hearing(parts, {
      recent: this.#recent,
      underWay: this.#underWay,
      counters: this.#counters,
      receive: (received, message) => this.#receive(received, message),
    });
    const { adapter, channel, clock } = parts;
    this.#expect(this.#hearing.begin());
    this.#expect(adapter.on('error', this.#onError));
    parts.host.tear(true);
    this.#standing = new Standing({
      adapter,
      channel,
      clock,
      up: () => this.#onUp(),
      down: () => this.#onDown(),
      failed: (cause) => this.#outage.failed(cause),
    });
    void this.#standing.subscribe();
  }

  /** An adapter may begin to listen asynchronously: that it fails then must not end the process. */
  #expect(listening: unknown): void {
    Promise.resolve(listening).catch((cause: unknown) => this.#outage.failed(cause));
  }

  stats(): BusStats {
    return { state: this.#standing.state, ...this.#counters, pending: this.#underWay.size };
  }

  ready(): Promise<void> {
    return this.#standing.ready();
  }

  /** A number no other publish has, on any instance. */
  nextNumber(): string {
    this.#publishes += 1;
    return `${this.#parts.instanceId}-${this.#publishes.toString(36)}`;
  }

  /** Whether clients here were given this event before the channel took it, so that it is about to be published once more. */
  gaveEarly(id = ''): boolean {
    // Who came back may have been given it, too, and been cut off before it was told where it stands.
    return (this.#gaveEarly || this.#parts.counters.replayed > 0) && this.#early.has(id);
  }

  /** Publishes when it is its turn: after all that was published before it. */
  publish(outgoing: Outgoing): Promise<PublishResult> {
    const { before, holdBack = false } = outgoing;
    const publication = this.#underWay.start(outgoing);
    if (before === undefined && !holdBack && this.#lane.idle) {
      this.#send(publication);
      return publication.result;
    }
    const inTurn = (step: () => Promise<unknown>, holds: boolean) =>
      this.#lane.run(() => {
        if (publication.settled) return undefined;
        const done = step();
        return holds ? Promise.race([done, publication.result]) : undefined;
      });
    if (before !== undefined) inTurn(before, true);
    inTurn(() => this.#send(publication), holdBack);
    return publication.result;
  }

  /** Resolves when every publish has its answer. */
  async settled(): Promise<void> {
    await Promise.allSettled([...this.#underWay.all()].map(({ result }) => result));
  }

  async close(): Promise<void> {
    if (this.#closed) return;
    this.#closed = true;
    const failed = (cause: unknown) => this.#outage.failed(cause);
    this.#hearing.end().catch(failed);
    const { adapter, channel } = this.#parts;
    const over = new SSEKifyError('SHUTDOWN', 'the hub was shut down.');
    this.#standing.close(over);
    for (const publication of this.#underWay.all()) {
      if (publication.taken) publication.succeed();
      else if (!publication.settled) this.#fail(publication, over, publication.sent ? 'unknown' : 'refused');
    }
    this.#underWay.close();
    attempt(() => adapter.off?.('state', this.#standing.listener)).catch(failed);
    // Nothing waits for it: a connection that is lost does not answer, and one that is closed has nothing to take back.
    attempt(() => adapter.unsubscribe?.(channel)).catch(() => undefined);
    await attempt(() => adapter.close?.()).catch(failed);
    // Only now: an EventEmitter throws the errors that nobody listens to, and one may come of closing.
    attempt(() => adapter.off?.('error', this.#onError)).catch(failed);
  }

  #send(publication: Publication): Promise<void> {
    return publication.send().then(
      () => this.#take(publication),
      (error: unknown) => this.#fail(publication, error, outcomeOf(error)),
    );
  }

  /** The channel took it; from now on its echo is awaited. */
  #take(publication: Publication): void {
    if (publication.taken || publication.settled) return;
    publication.taken = true;
    this.#counters.published += 1;
    if (this.#parts.adapter.echo === false) {
      this.#deliverTaken();
    } else if (this.#standing.state !== 'up') {
      this.#fallBack(publication);
    } else if (this.#underWay.awaitEcho(publication)) {
      return;
    }
    publication.succeed();
  }

  #onUnanswered(publication: Publication): void {
    this.#fail(publication, new Error(`no answer in ${ANSWER_MS} ms`), publication.sent ? 'unknown' : 'refused');
  }

  #fail(publication: Publication, cause: unknown, outcome: 'refused' | 'unknown'): void {
    if (publication.settled) return;
    if (outcome === 'refused') this.#counters.refused += 1;
    else this.#counters.unanswered += 1;
    this.#fallBack(publication);
    const { id, delivered } = publication;
    const what = outcome === 'refused' ? 'was refused by the channel' : 'was not answered by the channel';
    publication.fail(
      new SSEKifyError(
        outcome === 'refused' ? 'PUBLISH_REFUSED' : 'PUBLISH_UNANSWERED',
        `a publish ${what} (${messageOf(cause)}); ${delivered} connections here got it. Retry it${id === undefined ? '' : ' with its id'}.`,
        { cause, id, outcome, delivered },
      ),
    );
    this.#deliverTaken();
  }

  /** Where no echo is to come: answers may overtake each other, which events must not. */
  #deliverTaken(): void {
    if (this.#parts.adapter.echo !== false) return;
    for (const publication of this.#underWay.all()) {
      if (!publication.taken) return;
      this.#underWay.end(publication);
      this.#deliverHere(publication);
    }
  }

  #missEcho(publication: Publication): void {
    this.#fallBack(publication);
    publication.succeed();
    this.#outage.warn('ECHO_LOST', 'a published event did not come back from the channel; it was delivered here.');
  }

  /** Delivers here what the channel did not bring back, once. */
  #fallBack(publication: Publication): void {
    // What listeners send meanwhile stands behind it.
    const early = this.#parts.delivery.order + 1;
    this.#underWay.end(publication);
    if (!this.#deliverHere(publication)) return;
    this.#counters.fallbacks += 1;
    if (publication.id) this.#early.set(publication.id, early);
    const [oldest = ''] = this.#early.keys();
    if (this.#early.size > MAX_EARLY) this.#early.delete(oldest);
    this.#gaveEarly ||= publication.delivered > 0;
    this.#tear(publication.outgoing.scope);
  }

  /** An event stands in another order than the channel's. */
  #tear(scope: HeldScope | undefined): void {
    // A command has no place in the order of events, and without a subscription all is in doubt already.
    if (scope !== undefined && this.#standing.state === 'up') this.#parts.host.tear(false);
  }

  /** What may have been given here early has its place in the channel's order here. */
  #place(scope: Scope | undefined, id = ''): void {
    const early = this.#early.get(id);
    if (early === undefined || scope === undefined) return;
    // Who was given it early may not have had what came before, and who stands between the two places has not had it.
    this.#tear(scope);
    this.#early.set(id, Number.POSITIVE_INFINITY);
    this.#parts.delivery.lack(scope, early);
  }

  /** @returns whether it was not delivered here before */
  #deliverHere(publication: Publication): boolean {
    const { n, scope, deliverHere } = publication.outgoing;
    if (this.#recent.has(n, scope, publication.id)) {
      // The channel has it now, whether it brings it or not.
      if (publication.taken) this.#place(scope, publication.id);
      return false;
    }
    try {
      publication.delivered = deliverHere();
      // Only now: the number it may have got from memory may have made its id.
      this.#recent.add(n, scope, publication.id);
    } catch (error) {
      // The application's serializer may refuse another number than the one it has seen.
      this.#onError(error);
    }
    return true;
  }

  #receive(received: Received, message: string): void {
    const { host } = this.#parts;
    const { n } = received;
    const publication = n === undefined ? undefined : this.#underWay.get(n);
    const scope = 'event' in received ? received.scope : undefined;
    const id = 'event' in received ? received.event.id : undefined;
    const isDuplicate = this.#recent.seen(n, scope, id);
    if (isDuplicate) {
      this.#counters.duplicates += 1;
    } else {
      const delivered =
        'event' in received ? host.deliver(received.scope, received.event, true) : host.obey(received.command);
      if (publication !== undefined) publication.delivered = delivered;
    }
    if ('event' in received && received.again) this.#tear(scope);
    if (isDuplicate) this.#place(scope, id);
    // Only now: what a listener sends comes after it.
    host.heard(received, message);
    if (publication === undefined) return;
    this.#underWay.cameBack(publication);
    if (!publication.taken) this.#counters.published += 1;
    publication.taken = true;
    publication.succeed();
  }

  #onUp(): void {
    // Until now others may have published what never got here.
    this.#parts.host.tear(false);
    this.#outage.over();
  }

  #onDown(): void {
    this.#counters.outages += 1;
    this.#parts.host.tear(true);
    this.#outage.warn(
      'BUS_DOWN',
      'the subscription to the channel was lost; events of other instances are missing until it is back.',
    );
    for (const publication of this.#underWay.all()) {
      if (!publication.taken) continue;
      this.#fallBack(publication);
      publication.succeed();
    }
  }
}
