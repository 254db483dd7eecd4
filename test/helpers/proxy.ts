import { once } from 'node:events';
import net from 'node:net';
import { atEnd } from './cleanup.js';

/** A TCP proxy that can stop passing bytes on without a word, as a broken network does. */
export interface Proxy {
  readonly port: number;
  readonly url: string;
  /** Swallows every byte of the connections that are there, and of those that come. */
  blackhole(): void;
  /** Swallows every byte of the connections that are there, for good; those that come are well. */
  strand(): void;
  /** Passes bytes on again; connections that lost some are cut off, as their ends would notice, but for stranded ones. */
  heal(): void;
  /** Holds every byte back, also of the connections that come. */
  hold(): void;
  /** Passes on all that was held back. */
  release(): void;
  /** Cuts all connections off. */
  cut(): void;
  /** Says something of its own to all who are connected. */
  say(text: string): void;
}

/** A proxy before a port of the loopback interface; closed, with its sockets, when the test ends. */
export async function startProxy(target: number): Promise<Proxy> {
  const pairs = new Set<{ sockets: net.Socket[]; lossy: boolean; stranded: boolean }>();
  let swallowing = false;
  let holding = false;
  const server = net.createServer((client) => {
    const upstream = net.connect(target, '127.0.0.1');
    const pair = { sockets: [client, upstream], lossy: false, stranded: false };
    pairs.add(pair);
    if (holding) for (const socket of pair.sockets) socket.pause();
    for (const [from, to] of [
      [client, upstream],
      [upstream, client],
    ] as const) {
      from.on('data', (bytes) => {
        if (swallowing || pair.stranded) pair.lossy = true;
        else to.write(bytes);
      });
      from.on('error', () => undefined);
      from.on('close', () => {
        to.destroy();
        pairs.delete(pair);
      });
    }
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  const cut = (which: (pair: { lossy: boolean; stranded: boolean }) => boolean) => {
    for (const pair of [...pairs]) if (which(pair)) for (const socket of pair.sockets) socket.destroy();
  };
  atEnd(async () => {
    cut(() => true);
    server.close();
    await once(server, 'close');
  });
  return {
    port: address.port,
    url: `redis://127.0.0.1:${address.port}`,
    blackhole() {
      swallowing = true;
    },
    strand() {
      for (const pair of pairs) pair.stranded = true;
    },
    heal() {
      swallowing = false;
      cut(({ lossy, stranded }) => lossy && !stranded);
    },
    hold() {
      holding = true;
      for (const { sockets } of pairs) for (const socket of sockets) socket.pause();
    },
    release() {
      holding = false;
      for (const { sockets } of pairs) for (const socket of sockets) socket.resume();
    },
    cut: () => cut(() => true),
    say(text) {
      for (const { sockets } of pairs) sockets[0]?.write(text);
    },
  };
}
