import type { Delivery, HeardGap, Position } from './client.js';
import type { Publication, Scope } from './publisher.js';

/** What the oracle has to know of a client. */
export interface Witness {
  readonly options: { user: string; rooms: readonly string[] };
  /** The first position it had, its own or one it was given; what came before is not for it. Absent = it had none. */
  readonly beganAt: string | undefined;
  readonly deliveries: readonly Delivery[];
  readonly gaps: readonly HeardGap[];
  /** What moved its last id and was no event of a publisher. */
  readonly cursors: readonly Position[];
  readonly problems: readonly string[];
}

export interface Rules {
  /** Whether frame ids are positions in the log, by which all clients must hear the same order. */
  idsAreOrdered: boolean;
  /**
   * Which of the acknowledged events each client in their scope must have heard; by default all of them. Of the others it
   * must at least have been told: where such an event would have been there has to be a gap.
   */
  required?: (publication: Publication, witness: Witness) => boolean;
}

export interface Verdict {
  clients: number;
  acknowledged: number;
  deliveries: number;
  lost: number;
  duplicated: number;
  outOfOrder: number;
  gaps: number;
  /** What else is wrong, and the first of what is counted above, in words. */
  findings: string[];
}

type Counted = 'lost' | 'duplicated' | 'outOfOrder';

const MOST_FINDINGS = 20;

/**
 * Compares what clients heard with what publishers were told. It knows nothing of hubs: an acknowledged event must have
 * been heard once by every client in its scope, whatever happened in between, and in the order of the log.
 */
export function judge(publications: readonly Publication[], witnesses: readonly Witness[], rules: Rules): Verdict {
  const trial = new Trial(publications, rules);
  for (const witness of witnesses) new Examination(trial, witness).run();
  return trial.verdict;
}

/** What is known of all that was published, and the verdict as it grows. */
class Trial {
  readonly verdict: Verdict;
  readonly publications: readonly Publication[];
  readonly rules: Required<Rules>;
  readonly #known: ReadonlyMap<string, Publication>;
  /** The id that an event has for everyone. */
  readonly #ids = new Map<string, string | undefined>();

  constructor(publications: readonly Publication[], { idsAreOrdered, required = () => true }: Rules) {
    this.publications = publications;
    this.rules = { idsAreOrdered, required };
    this.#known = new Map(publications.map((publication) => [nameOf(publication), publication]));
    const acknowledged = publications.filter(({ id }) => id !== undefined).length;
    const nothing = { deliveries: 0, lost: 0, duplicated: 0, outOfOrder: 0, gaps: 0 };
    this.verdict = { clients: 0, acknowledged, ...nothing, findings: [] };
  }

  publicationOf(delivery: Delivery): Publication | undefined {
    return this.#known.get(nameOf(delivery));
  }

  /** The id that an event has: the one its publisher was told, else the one it was heard under first. */
  idOf(publication: Publication, heardAs: string | undefined): string | undefined {
    if (publication.id !== undefined) return publication.id;
    const name = nameOf(publication);
    if (!this.#ids.has(name)) this.#ids.set(name, heardAs);
    return this.#ids.get(name);
  }

  find(text: string, counted?: Counted): void {
    if (counted !== undefined) this.verdict[counted] += 1;
    if (this.verdict.findings.length < MOST_FINDINGS) this.verdict.findings.push(text);
  }
}

/** Goes through what one client heard. */
class Examination {
  readonly #trial: Trial;
  readonly #witness: Witness;
  readonly #who: string;
  /** What it heard, and how many gaps it had been told of by then. */
  readonly #heard = new Map<string, number>();
  /** By publisher, the highest number of those that were taken at their first attempt. */
  readonly #latest = new Map<number, number>();
  /** By room, the latest sequence number, and how many gaps came before it. */
  readonly #numbers = new Map<string, { seq: number; gaps: number }>();
  /** The highest position so far. */
  #position: string | undefined;
  /** How many cursors and gaps have come so far. */
  #cursors = 0;
  #gaps = 0;

  constructor(trial: Trial, witness: Witness) {
    this.#trial = trial;
    this.#witness = witness;
    this.#who = [witness.options.user, ...witness.options.rooms].join(' ');
  }

  run(): void {
    const { deliveries, gaps, problems } = this.#witness;
    const { verdict } = this.#trial;
    verdict.clients += 1;
    verdict.deliveries += deliveries.length;
    verdict.gaps += gaps.length;
    for (const problem of problems) this.#find(problem);
    for (const [index, delivery] of deliveries.entries()) {
      this.#followCursors(index);
      while ((gaps[this.#gaps]?.after ?? Number.POSITIVE_INFINITY) <= index) this.#gaps += 1;
      this.#examine(delivery);
    }
    for (const publication of this.#trial.publications) this.#lookFor(publication);
  }

  #examine(delivery: Delivery): void {
    const { p, n, id } = delivery;
    const name = nameOf(delivery);
    const publication = this.#trial.publicationOf(delivery);
    if (publication === undefined || !addresses(publication.scope, this.#witness.options)) {
      this.#find(`heard ${name}, which is not for it`);
      return;
    }
    const heardBefore = this.#heard.get(name);
    // What was not acknowledged and then lost with the log is published once more, behind the gap that tells of the loss.
    const lostMeanwhile = publication.attempts > 1 && (heardBefore ?? 0) < this.#gaps;
    if (heardBefore !== undefined && !lostMeanwhile) {
      this.#find(`heard ${name} again, as ${id}`, 'duplicated');
      return;
    }
    this.#heard.set(name, this.#gaps);
    const itsId = this.#trial.idOf(publication, id);
    const mayHaveTwo = publication.attempts > 1 && this.#witness.gaps.length > 0;
    if (itsId !== id && !mayHaveTwo) this.#find(`heard ${name} as ${id}, and not as ${itsId}`);
    this.#checkOrder(publication, { p, n, id });
    this.#checkNumber(publication.scope, delivery.seq);
  }

  /** In the order of the log, and of the calls of each publisher. */
  #checkOrder({ attempts, id: acknowledgedAs }: Publication, { p, n, id }: Pick<Delivery, 'p' | 'n' | 'id'>): void {
    const before = this.#latest.get(p) ?? -1;
    const takenAtOnce = attempts === 1 && acknowledgedAs !== undefined;
    const late = takenAtOnce && n < before;
    if (takenAtOnce && !late) this.#latest.set(p, n);
    const behind = this.#trial.rules.idsAreOrdered && !isAfter(id, this.#position);
    if (late || behind) this.#find(`heard ${p}:${n} as ${id} after ${this.#position} and ${p}:${before}`, 'outOfOrder');
    if (!behind) this.#position = id;
  }

  /** The events of a room are numbered without a hole, unless the counter was lost with the log. */
  #checkNumber(scope: Scope, seq: number | undefined): void {
    if (scope.kind !== 'room' || seq === undefined) return;
    const last = this.#numbers.get(scope.target);
    this.#numbers.set(scope.target, { seq, gaps: this.#gaps });
    if (last === undefined || seq === last.seq + 1 || this.#gaps > last.gaps) return;
    const text = `heard number ${seq} of ${scope.target} after number ${last.seq}`;
    if (seq <= last.seq) this.#find(text, 'outOfOrder');
    else if (this.#gaps === 0) this.#find(text);
  }

  /** What moved its last id before its `index`-th event. */
  #followCursors(index: number): void {
    if (!this.#trial.rules.idsAreOrdered) return;
    const { cursors } = this.#witness;
    for (let cursor = cursors[this.#cursors]; cursor?.after === index; cursor = cursors[this.#cursors]) {
      this.#cursors += 1;
      const { id } = cursor;
      if (id === this.#position || isAfter(id, this.#position)) this.#position = id;
      else this.#find(`was sent back to ${id} after ${this.#position}`, 'outOfOrder');
    }
  }

  #lookFor(publication: Publication): void {
    const { id, scope, acknowledgedAt } = publication;
    const { options, beganAt } = this.#witness;
    const { idsAreOrdered, required } = this.#trial.rules;
    const name = nameOf(publication);
    if (id === undefined || !addresses(scope, options) || this.#heard.has(name)) return;
    if (idsAreOrdered && beganAt !== undefined && !isAfter(id, beganAt)) return;
    if (!required(publication, this.#witness) && isToldOf(this.#witness, id)) return;
    this.#find(`never heard ${name}, taken as ${id} at ${acknowledgedAt}`, 'lost');
  }

  #find(text: string, counted?: Counted): void {
    this.#trial.find(`${this.#who}: ${text}`, counted);
  }
}

const nameOf = ({ p, n }: { p: number; n: number }) => `${p}:${n}`;

/** Whether a gap stands where an event with this id would have been. */
function isToldOf({ gaps, deliveries }: Witness, id: string): boolean {
  return gaps.some(({ after }) => {
    const next = deliveries[after]?.id;
    return isAfter(id, deliveries[after - 1]?.id) && next !== undefined && isAfter(next, id);
  });
}

function addresses(scope: Scope, { user, rooms }: Witness['options']): boolean {
  if (scope.kind === 'all') return true;
  return scope.kind === 'user' ? scope.target === user : rooms.includes(scope.target);
}

/** Whether a position in the log, `<ms>-<n>`, is after another one; every position is after none. */
export function isAfter(id: string | undefined, other: string | undefined): boolean {
  if (other === undefined) return true;
  if (id === undefined) return false;
  const [ms = 0, n = 0] = id.split('-').map(Number);
  const [otherMs = 0, otherN = 0] = other.split('-').map(Number);
  return ms === otherMs ? n > otherN : ms > otherMs;
}
