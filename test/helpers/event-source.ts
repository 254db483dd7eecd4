import { EventSource } from 'eventsource';
import { atEnd } from './cleanup.js';

/** An event as an EventSource shows it. */
export interface SeenEvent {
  event: string;
  data: unknown;
  id: string;
}

export interface Subscriber {
  /** Everything heard so far. */
  readonly events: SeenEvent[];
  /** The `Last-Event-ID` of each request this client made, in order; `undefined` where there was none. */
  readonly resumedAfter: (string | undefined)[];
  /** Resolves when the condition holds; looks after each event and each lost connection. */
  until(condition: (subscriber: Subscriber) => boolean): Promise<void>;
  /** Resolves with the first event of that name, after the `from`-th event of all. */
  event(name: string, from?: number): Promise<SeenEvent>;
  /** What was heard under that name, as data. */
  data(name: string): unknown[];
  /** How often the connection was lost. */
  readonly losses: number;
  /** Loses the network: requests wait until `online()`. A stream that is open stays. */
  offline(): void;
  online(): void;
  close(): void;
}

/** A real EventSource that listens for these events; it is closed when the test ends. Data is read as JSON. */
export function subscribe(url: string, names: readonly string[]): Subscriber {
  const events: SeenEvent[] = [];
  const resumedAfter: (string | undefined)[] = [];
  const looks = new Set<() => void>();
  let losses = 0;
  let network = Promise.resolve();
  let online = () => {};
  const look = () => {
    for (const each of [...looks]) each();
  };
  const source = new EventSource(url, {
    fetch: async (address, init) => {
      await network;
      resumedAfter.push(new Headers(init.headers).get('Last-Event-ID') ?? undefined);
      // A kept connection would outlive the test.
      return fetch(address, { ...init, headers: { ...init.headers, Connection: 'close' } });
    },
  });
  const close = () => {
    source.close();
    online();
  };
  atEnd(close);
  for (const name of names) {
    source.addEventListener(name, ({ type, data, lastEventId }) => {
      events.push({ event: type, data: data === '' ? '' : JSON.parse(data), id: lastEventId });
      look();
    });
  }
  source.addEventListener('error', () => {
    losses += 1;
    look();
  });
  const subscriber: Subscriber = {
    events,
    resumedAfter,
    get losses() {
      return losses;
    },
    until(condition) {
      return new Promise((resolve) => {
        const each = () => {
          if (!condition(subscriber)) return;
          looks.delete(each);
          resolve();
        };
        looks.add(each);
        each();
      });
    },
    async event(name, from = 0) {
      const find = () => events.slice(from).find(({ event }) => event === name);
      await subscriber.until(() => find() !== undefined);
      const found = find();
      if (found === undefined) throw new Error(`no event ${name}`);
      return found;
    },
    data(name) {
      return events.filter(({ event }) => event === name).map(({ data }) => data);
    },
    offline() {
      network = new Promise((resolve) => {
        online = resolve;
      });
    },
    online() {
      online();
    },
    close,
  };
  return subscriber;
}
