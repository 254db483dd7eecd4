import { once } from 'node:events';
import net from 'node:net';
import { Redis } from 'ioredis';
import { Redis as Redis5 } from 'ioredis5';
import { createIORedisAdapter } from '../../src/index.js';
import { atEnd } from '../helpers/cleanup.js';

type Client = Redis | Redis5;
type Options = Readonly<Record<string, unknown>>;

export interface Version {
  version: 5 | 6;
  make: (options: Options) => Client;
  /** The type of what the server pushes: an array in RESP 2. */
  push: '*' | '>';
  /** The answers that make a connection ready. */
  handshake: readonly string[];
}

const hello = '%2\r\n$6\r\nserver\r\n$5\r\nredis\r\n$5\r\nproto\r\n:3\r\n';

export const versions: readonly Version[] = [
  { version: 5, make: (options) => new Redis5(options), push: '*', handshake: [] },
  { version: 6, make: (options) => new Redis(options), push: '>', handshake: [hello] },
];

export const bulk = (text: string) => `$${Buffer.byteLength(text)}\r\n${text}\r\n`;

/** A message as it is pushed by RESP 2 or 3. */
export const pushed = ({ push }: Version, channel: string, text: string) =>
  `${push}3\r\n${bulk('message')}${bulk(channel)}${bulk(text)}`;

/** Tells of the clients that an adapter makes out of the one it is given: first to publish, then to subscribe. */
export function watchDuplicates(client: Client, onMade: (copy: Client) => void = () => undefined): Client[] {
  const made: Client[] = [];
  const { duplicate } = client;
  Object.assign(client, {
    duplicate: (...args: unknown[]) => {
      const copy: unknown = Reflect.apply(duplicate, client, args);
      if (!(copy instanceof Redis || copy instanceof Redis5)) throw new Error('no client was made');
      made.push(copy);
      onMade(copy);
      return copy;
    },
  });
  return made;
}

/** A port that takes connections and says nothing. */
export async function silentPort(): Promise<number> {
  const server = net.createServer((socket) => {
    socket.on('error', () => undefined);
    socket.resume();
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  atEnd(() => server.close());
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return address.port;
}

interface Setup {
  /** How the handshake's answers are cut into chunks. */
  cut?: (bytes: Buffer) => Buffer[];
  /** Runs once the subscriber's socket is connected, before the adapter hears of it. */
  onSocket?: (subscriber: Client) => void;
  options?: Options;
}

/** An adapter whose subscribed connection is ready, and reads at its socket just what the test feeds it. */
export async function fedSubscriber({ make, handshake }: Version, port: number, setup: Setup = {}) {
  const { cut = (bytes) => [bytes], onSocket = () => undefined, options } = setup;
  const address = { host: '127.0.0.1', port, lazyConnect: true };
  const client = make({ ...address, enableReadyCheck: false, disableClientInfo: true, ...options });
  const made = watchDuplicates(client, (copy) => {
    copy.on('error', () => undefined);
    copy.once('connect', () => {
      if (copy === made[1]) onSocket(copy);
    });
  });
  const adapter = createIORedisAdapter(client);
  const subscriber = made[1];
  if (subscriber === undefined) throw new Error('no second client was made');
  const messages: [string, string][] = [];
  adapter.on('message', (channel, text) => messages.push([channel, text]));
  let byClient = 0;
  subscriber.on('message', () => {
    byClient += 1;
  });
  const feed = (...chunks: Buffer[]) => {
    for (const chunk of chunks) subscriber.stream.emit('data', chunk);
  };
  const ready = once(subscriber, 'ready');
  await once(subscriber, 'connect');
  for (const answer of handshake) feed(...cut(Buffer.from(answer)));
  await ready;
  const end = () => {
    subscriber.disconnect();
    made[0]?.disconnect();
    return adapter.close();
  };
  return {
    adapter,
    subscriber,
    messages,
    feed,
    end,
    /** How many messages were read by the client and not by the adapter. */
    get byClient() {
      return byClient;
    },
  };
}
