import { isRecord } from '../checks.js';
import { type IORedisClient, isClient, optionsOf } from './ioredis-client.js';

const SWITCHED = '+switch-master';

/** Sentinels may stay away for long, and the others tell as well. */
const askAgain = (attempt: number) => Math.min(attempt * 500, 10_000);

/**
 * Hears from the sentinels that another primary was made, since the old one may go on for a while, subscribers included.
 *
 * The client has a detector of its own, which leaves whatever it is connected to: at the late word of a second sentinel also
 * the new primary, and at the failover of any other primary that the sentinels know.
 */
export class SwitchWatch {
  readonly #sentinels: readonly IORedisClient[];
  /** What was said last of this primary, and whether the client left for it: it does so once, however many say it. */
  #news = '';
  #left = false;

  constructor(client: IORedisClient) {
    const options = optionsOf(client);
    const addresses = Array.isArray(options.sentinels) ? options.sentinels.filter(isRecord) : [];
    this.#sentinels = addresses.map((address) => client.duplicate(optionsFor(address, options))).filter(isClient);
    for (const sentinel of this.#sentinels) {
      sentinel.on('error', () => undefined);
      sentinel.on('message', (_channel, text) => {
        const news = String(text);
        const [switched, , , host, port] = news.split(' ');
        if (switched !== options.name) return;
        if (news !== this.#news) this.#left = false;
        this.#news = news;
        // While it asks a sentinel where to go, ioredis would take this for the end.
        if (this.#left || client.status === 'connecting' || isConnectedTo(client, host, port)) return;
        this.#left = true;
        client.disconnect(true);
      });
      sentinel.on('ready', () => {
        sentinel.subscribe(SWITCHED).catch(() => undefined);
      });
    }
  }

  end(): void {
    for (const sentinel of this.#sentinels) sentinel.disconnect();
  }
}

/** A sentinel has its own user and its own TLS, and nothing of what makes it a database. */
const optionsFor = ({ host, port, family }: Record<string, unknown>, options: Readonly<Record<string, unknown>>) => ({
  host,
  port: port ?? 26379,
  family: family ?? options.family,
  username: options.sentinelUsername,
  password: options.sentinelPassword,
  tls: options.sentinelTLS,
  sentinels: null,
  Connector: undefined,
  db: 0,
  readOnly: false,
  enableReadyCheck: false,
  autoResubscribe: false,
  socketTimeout: undefined,
  keepAlive: 30_000,
  retryStrategy: askAgain,
});

/** A name, or an address that is translated on the way, is not recognized, which costs a new connection. */
function isConnectedTo(client: IORedisClient, host: unknown, port: unknown): boolean {
  const socket: unknown = Reflect.get(client, 'stream');
  return isRecord(socket) && socket.remoteAddress === host && String(socket.remotePort) === port;
}
