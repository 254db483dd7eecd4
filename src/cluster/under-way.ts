import type { Clock } from '../delivery/clock.js';
import { Deadlines } from './deadlines.js';
import { type Outgoing, Publication } from './publication.js';

// A little less than the 5 s that are promised, for the clock's slots and the last look.
export const ANSWER_MS = 4700;
const ECHO_MS = 2000;
/** So many times an echo is waited for while others come: it may stand in line behind them. */
const MAX_ECHO_WAITS = 2;
/**
 * A publish that leaves so many others on their way resolves not before it came back: who awaits each does not run further
 * ahead of what this process reads, which Redis would have to keep, and ends the subscription of whoever lets too much pile up.
 */
const MAX_AHEAD = 1000;

/** What becomes of publications whose time is over. */
export interface UnderWayHost {
  /** The channel has not answered. */
  unanswered(publication: Publication): void;
  /** The channel took it, and its echo has not come. */
  echoMissed(publication: Publication): void;
  /** Messages that were received so far. */
  received(): number;
}

/** Publications without answer, or without echo, by their number, in call order; each has its time. */
export class UnderWay {
  readonly #deadlines: Deadlines;
  readonly #host: UnderWayHost;
  readonly #byNumber = new Map<string, Publication>();
  #sent = 0;
  /** Of the newest publish that came back. */
  #echoed = 0;

  constructor(clock: Clock, host: UnderWayHost) {
    this.#deadlines = new Deadlines(clock, (now) => this.#expire(now));
    this.#host = host;
  }

  get size(): number {
    return this.#byNumber.size;
  }

  get(n: string): Publication | undefined {
    return this.#byNumber.get(n);
  }

  all(): Iterable<Publication> {
    return this.#byNumber.values();
  }

  /** Its answer is awaited from now on. */
  start(outgoing: Outgoing): Publication {
    this.#sent += 1;
    const publication = new Publication(outgoing, this.#sent, this.#deadlines.in(ANSWER_MS));
    this.#byNumber.set(outgoing.n, publication);
    this.#deadlines.lookAt(publication.deadline);
    return publication;
  }

  /**
   * The channel took it: its echo is awaited from now on.
   *
   * @returns whether its caller has to wait for the echo, too: it wants to, or so many are on their way
   */
  awaitEcho(publication: Publication): boolean {
    const { deadline } = publication;
    this.#awaitEcho(publication);
    const inTime = deadline >= publication.deadline;
    this.#deadlines.lookAt(publication.deadline);
    return inTime && (publication.outgoing.paced === true || this.size > MAX_AHEAD);
  }

  cameBack(publication: Publication): void {
    this.end(publication);
    this.#echoed = Math.max(this.#echoed, publication.order);
  }

  end({ outgoing }: Publication): void {
    this.#byNumber.delete(outgoing.n);
  }

  close(): void {
    this.#deadlines.end();
    this.#byNumber.clear();
  }

  #expire(now: number): void {
    let next = Number.POSITIVE_INFINITY;
    const awaited: Publication[] = [];
    for (const publication of this.all()) {
      if (publication.deadline <= now) this.#onDeadline(publication, awaited);
      if (publication.deadline <= now) continue;
      next = Math.min(next, publication.deadline);
      if (publication.taken) awaited.push(publication);
    }
    if (next !== Number.POSITIVE_INFINITY) this.#deadlines.lookAt(next);
  }

  /** @param awaited - those that the channel took before, whose echo may still come */
  #onDeadline(publication: Publication, awaited: Publication[]): void {
    if (!publication.taken) {
      this.#host.unanswered(publication);
      return;
    }
    publication.succeed();
    // What was published later comes later.
    const isPassed = publication.order < this.#echoed;
    const isQuiet = publication.heard === this.#host.received();
    if (isPassed || isQuiet || publication.waits > MAX_ECHO_WAITS) {
      // Those before it come before it.
      for (const each of [...awaited.splice(0), publication]) this.#host.echoMissed(each);
    } else this.#awaitEcho(publication);
  }

  #awaitEcho(publication: Publication): void {
    publication.heard = this.#host.received();
    publication.waits += 1;
    publication.deadline = this.#deadlines.in(ECHO_MS);
  }
}
