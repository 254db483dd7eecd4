import { messageOf, SSEKifyError } from '../../errors.js';
import type { Draft, Stamper, Wish } from '../../stamp/stamper.js';
import type { Counters } from '../../stats.js';
import type { PublishResult, Scope } from '../../types.js';
import { type Command, commandEnvelope, dataField, dataFieldAround, eventHead, isWholeJson } from '../envelope.js';
import { Lane } from '../lane.js';
import { type NumberSettings, Numbers } from '../numbers.js';
import { headroomAfter, MAX_PREDICTIONS } from '../prediction.js';
import type { Append, Appended, LogBus } from './log-bus.js';

/** What it has to work with. */
export interface LogPublisherParts {
  bus: LogBus;
  stamper: Stamper;
  counters: Counters;
  instanceId: string;
  numbers: NumberSettings;
  /** Numbers are counted in memory only. */
  memoryOnly: boolean;
}

/** Makes envelopes of events and appends them to the log in call order, each with the number its key is due. */
export class LogPublisher {
  readonly #parts: LogPublisherParts;
  readonly #numbers: Numbers;
  readonly #lane = new Lane();
  #publishes = 0;

  constructor(parts: LogPublisherParts) {
    this.#parts = parts;
    this.#numbers = new Numbers({ ...parts, kv: undefined, report: () => undefined });
  }

  publish(scope: Scope, data: unknown, wish: Wish, key: string | undefined): Promise<PublishResult> {
    const { stamper, memoryOnly } = this.#parts;
    const draft = stamper.draft(data, wish, () => undefined);
    const json = stamper.writesJson(wish);
    const { ticket } = draft;
    const head = (text: string, written: boolean) =>
      `${this.#head(scope, draft)}${dataField(text, written || isWholeJson(text))}`;
    if (ticket === undefined || memoryOnly) {
      const before = head(draft.render(ticket?.seq).text, json);
      if (ticket !== undefined) this.#numbers.takeFromMemory(ticket);
      return this.#inTurn(() => this.#append({ before, after: '', key }), false);
    }
    const counter = () => ({
      name: this.#numbers.counterOf(ticket),
      startAt: this.#parts.numbers.startAt,
      floor: stamper.nextNumber(ticket.key),
      ttlMs: this.#numbers.lifetimeMs(ticket),
      expected: undefined,
    });
    const took = (seq: number | undefined) => {
      if (seq !== undefined) this.#numbers.took(ticket, seq);
    };
    const around = draft.around();
    if (around !== undefined) {
      const { before, after } = dataFieldAround(around);
      const message = { before: `${this.#head(scope, draft)}${before}`, after, key };
      return this.#inTurn(async () => {
        const appended = await this.#append({ ...message, counter: counter() });
        took(appended.seq);
        return appended;
      }, false);
    }
    draft.keep();
    return this.#inTurn(async () => {
      // The text needs its number first: it is predicted, and Redis appends only if the prediction holds.
      let expected = stamper.nextNumber(ticket.key);
      for (let tries = 1; tries <= MAX_PREDICTIONS; tries += 1) {
        const before = head(draft.render(expected).text, json);
        const appended = await this.#append({
          before,
          after: '',
          key,
          counter: { ...counter(), floor: expected, expected },
        });
        if (appended.id !== undefined) {
          took(appended.seq);
          return appended;
        }
        expected = (appended.seq ?? expected) + headroomAfter(tries);
      }
      throw refused(`other publishers took ${MAX_PREDICTIONS} numbers of the key in the meantime`, 'refused');
    }, true);
  }

  command(command: Command): Promise<PublishResult> {
    const before = commandEnvelope(command, this.#nextNumber(), this.#parts.instanceId);
    return this.#inTurn(() => this.#append({ before, after: '', key: undefined }), false);
  }

  /** Resolves when every publish has its answer. */
  async settled(): Promise<void> {
    await this.#lane.settled();
    await this.#parts.bus.settled();
  }

  /** Appends when it is its turn: after all that was published before it. */
  #inTurn(append: () => Promise<Appended>, holdBack: boolean): Promise<PublishResult> {
    return new Promise((resolve, reject) => {
      this.#lane.run(() => {
        const appending = append().then(({ id }) => resolve({ id }), reject);
        return holdBack ? appending : undefined;
      });
    });
  }

  async #append(append: Append): Promise<Appended> {
    const { bus } = this.#parts;
    try {
      return await bus.append(append);
    } catch (cause) {
      const outcome = Reflect.get(Object(cause), 'outcome') === 'refused' ? 'refused' : 'unknown';
      bus.failed(outcome);
      throw refused(messageOf(cause), outcome, cause);
    }
  }

  #head(scope: Scope, { event, retry }: Draft): string {
    return eventHead(scope, { event, retry }, this.#nextNumber(), this.#parts.instanceId);
  }

  #nextNumber(): string {
    this.#publishes += 1;
    return `${this.#parts.instanceId}-${this.#publishes.toString(36)}`;
  }
}

function refused(why: string, outcome: 'refused' | 'unknown', cause?: unknown): SSEKifyError {
  const what = outcome === 'refused' ? 'was refused by the log' : 'was not acknowledged by the log';
  return new SSEKifyError(
    outcome === 'refused' ? 'PUBLISH_REFUSED' : 'PUBLISH_UNANSWERED',
    `a publish ${what} (${why}). Retry it with the same key.`,
    { outcome, delivered: 0, ...(cause !== undefined && { cause }) },
  );
}
