import { once } from 'node:events';
import net from 'node:net';
import { Transform, type TransformCallback } from 'node:stream';
import { setTimeout as wait } from 'node:timers/promises';
import { atEnd } from './cleanup.js';

const PIECE_BYTES = 64 * 1024;

/** A proxy whose connections bring no more than so much from the port to those who connect; closed when the test ends. */
export async function startNarrowProxy(target: number, bytesPerSecond: number): Promise<{ url: string }> {
  const sockets = new Set<net.Socket>();
  const server = net.createServer((client) => {
    const upstream = net.connect(target, '127.0.0.1');
    const pair = [client, upstream];
    for (const socket of pair) {
      sockets.add(socket);
      socket.on('error', () => undefined);
      socket.on('close', () => {
        for (const each of pair) each.destroy();
        sockets.delete(socket);
      });
    }
    client.pipe(upstream);
    upstream.pipe(narrow(bytesPerSecond)).pipe(client);
  });
  server.listen(0, '127.0.0.1');
  await once(server, 'listening');
  atEnd(async () => {
    for (const socket of sockets) socket.destroy();
    server.close();
    await once(server, 'close');
  });
  const address = server.address();
  if (address === null || typeof address === 'string') throw new Error('no port');
  return { url: `redis://127.0.0.1:${address.port}` };
}

function narrow(bytesPerSecond: number): Transform {
  const stream = new Transform({
    transform(chunk: Buffer, _, done: TransformCallback) {
      void pass(chunk).then(() => done());
    },
  });
  async function pass(chunk: Buffer): Promise<void> {
    for (let at = 0; at < chunk.length; at += PIECE_BYTES) {
      const piece = chunk.subarray(at, at + PIECE_BYTES);
      stream.push(piece);
      await wait((piece.length / bytesPerSecond) * 1000);
    }
  }
  return stream;
}
