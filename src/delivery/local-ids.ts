import { type CountedId, textOf } from '../counted-ids.js';

const MAX_BYTES = 128;
const SUFFIX = /^(.+)\+([a-z0-9]{10})\.[0-9]+$/s;

/**
 * Ids of events that stay on this instance, while others come from a channel: `<id of the last published
 * event>+<instanceId>.<n>`. An instance that does not know such an id resumes after the published one.
 */
export class LocalIds {
  readonly #instanceId: string;
  #published: string | CountedId | undefined;
  readonly #counted = { time: 0, origin: '', counter: 0 };
  #counter = 0;

  constructor(instanceId: string) {
    this.#instanceId = instanceId;
  }

  /** An event with this id came from the channel. */
  follow(id: string | CountedId): void {
    if (typeof id === 'string') {
      this.#published = id;
      return;
    }
    // What is given is used again for the next one.
    const counted = this.#counted;
    counted.time = id.time;
    counted.origin = id.origin;
    counted.counter = id.counter;
    this.#published = counted;
  }

  /** The next id; `undefined` when nothing was published yet, or its id is too long to build on. */
  next(): string | undefined {
    const published = this.#published;
    if (published === undefined) return undefined;
    this.#counter += 1;
    const followed = typeof published === 'string' ? published : textOf(published);
    const id = `${followed}+${this.#instanceId}.${this.#counter}`;
    return Buffer.byteLength(id) > MAX_BYTES ? undefined : id;
  }
}

/** The published id that a local id of another instance follows; `undefined` when it is none. */
export function followedId(id: string, instanceId: string): string | undefined {
  const [, published, origin] = SUFFIX.exec(id) ?? [];
  return origin === instanceId ? undefined : published;
}
