import { atEnd } from '../cleanup.js';
import { ChaosClient, type ClientOptions } from './client.js';

/** How long all clients together may take to get somewhere, on a machine that is busy. */
const PATIENCE_MS = 30_000;

export const ROOMS = ['red', 'blue'] as const;

/** Who there is: each user has several clients, on different instances. */
export const USERS = Array.from({ length: 80 }, (_, n) => `user ${n}`);

/** The clients of one run; they leave when the test ends. */
export class Audience {
  readonly clients: ChaosClient[] = [];

  constructor() {
    atEnd(() => this.close());
  }

  /** Adds so many clients of the usual kind: users in turn, a third of them in each room and a sixth in both. */
  add(
    count: number,
    ports: readonly number[],
    options: (n: number) => Partial<ClientOptions> = () => ({}),
  ): ChaosClient[] {
    const added = Array.from({ length: count }, (_, n) => {
      const rooms = ROOMS.filter((_room, index) => n % 6 === 5 || n % 3 === index);
      return new ChaosClient({ user: USERS[n % USERS.length] ?? '', rooms, ports, first: n, ...options(n) });
    });
    this.clients.push(...added);
    for (const client of added) client.open();
    return added;
  }

  /** Resolves with how many clients did not come to meet the condition in time. */
  async until(condition: (client: ChaosClient) => boolean, patienceMs = PATIENCE_MS): Promise<number> {
    const met = await Promise.all(this.clients.map((client) => client.until(condition, patienceMs)));
    return met.filter((holds) => !holds).length;
  }

  /** @throws when some client has no connection in time */
  async connected(): Promise<void> {
    const without = await this.until((client) => client.connected);
    if (without > 0) throw new Error(`${without} clients found no instance`);
  }

  /** All that was heard so far. */
  get deliveries(): number {
    return this.clients.reduce((sum, { deliveries }) => sum + deliveries.length, 0);
  }

  get reconnects(): number {
    return this.clients.reduce((sum, { reconnects }) => sum + reconnects, 0);
  }

  close(): void {
    for (const client of this.clients) client.close();
  }
}
