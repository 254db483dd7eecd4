/** Takes a message of a channel: the bytes from one place to another, which are somebody else's afterwards. */
export type MessageListener = (channel: string, bytes: Buffer, from: number, to: number) => void;

/** What a connection tells. */
export interface LinkEvents {
  /** It is usable, for the first time or again. */
  ready(): void;
  /** It is not, or could not be made. */
  lost(): void;
  error(error: unknown): void;
  /** Absent where nothing is subscribed. */
  readonly message?: MessageListener;
}

/** One connection of a client library, as the adapter needs it; it connects again by itself. */
export interface Link {
  /** A Cluster: keys decide which node a command goes to. */
  readonly cluster: boolean;
  readonly alive: boolean;
  listen(events: LinkEvents): void;
  /** @param command - in lower case: ioredis before 5.9 finds the keys of no other, nor what a subscriber may call */
  call(command: string, ...args: string[]): Promise<unknown>;
  subscribe(channel: string): Promise<unknown>;
  unsubscribe(channel: string): Promise<unknown>;
  /** Asks the other end for a sign of life. Rejects where the connection broke, which `lost` has told then. */
  check(): Promise<unknown>;
  /** Gives the connection up and makes a new one. */
  renew(): void;
  end(): void;
}

/** A connection that messages come from; nothing is asked on it. */
export type SubscribedLink = Omit<Link, 'cluster' | 'call'>;

/** A connection that can wait for replicas. */
export interface ReplicatedLink extends Link {
  /** Waits until a replica has what was written here, at the node of this stream. @returns how many have it; 0 = none in time */
  wait(key: string, timeoutMs: number): Promise<number>;
}
