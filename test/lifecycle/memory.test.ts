import { expect, it } from 'vitest';
import { runScript } from '../helpers/child.js';

const MEGABYTE = 1024 * 1024;

/** Heap and buffers that are in use after a collection. */
const IN_USE = `
  const turn = () => new Promise((resolve) => setImmediate(resolve));
  async function inUse() {
    for (let n = 0; n < 5; n += 1) { await turn(); gc(); }
    const { heapUsed, external } = process.memoryUsage();
    return heapUsed + external;
  }
`;

it('leaves nothing behind after 6,000 connections that came and left', async () => {
  const { stdout, stderr } = await runScript(
    `
    import { once } from 'node:events';
    import http from 'node:http';
    import net from 'node:net';
    import { SSEKify } from 'ssekify';
    ${IN_USE}
    const sse = new SSEKify();
    const server = http.createServer((req, res) => {
      sse.registerConnection(req.url.slice(1), res, { rooms: ['a', req.url] });
    });
    server.listen(0);
    await once(server, 'listening');
    const { port } = server.address();
    const ways = [(socket) => socket.destroy(), (socket) => socket.end(), (socket) => socket.resetAndDestroy()];
    async function cycle(n) {
      const socket = net.connect(port);
      socket.on('error', () => undefined);
      socket.write('GET /u' + n + ' HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n');
      await once(socket, 'data');
      sse.sendToAll('x');
      ways[n % 3](socket);
      if (!socket.closed) await once(socket, 'close');
    }
    async function cycles(from, count) {
      for (let n = from; n < from + count; n += 20) {
        await Promise.all(Array.from({ length: 20 }, (_, each) => cycle(n + each)));
      }
      while (sse.stats().connections > 0) await turn();
    }
    await cycles(0, 600);
    const before = await inUse();
    await cycles(600, 6000);
    const grown = (await inUse()) - before;
    const { connections, users, rooms } = sse.stats();
    console.log(JSON.stringify({ grown, connections, users, rooms, listed: sse.getRooms().length }));
    server.close();
    await sse.shutdown();
  `,
    { nodeOptions: ['--expose-gc'], timeoutMs: 60_000 },
  );
  expect(stderr).toBe('');
  const { grown, ...counts } = JSON.parse(stdout);
  expect(counts).toEqual({ connections: 0, users: 0, rooms: 0, listed: 0 });
  expect(grown).toBeLessThan(3 * MEGABYTE);
}, 60_000);

it.each([
  ['in events of 4 KB', 4 * 1024],
  ['in events of 100 KB', 100 * 1024],
  ['in small events', 200],
])(
  'needs under 12 MB more for a paused reader while 200 MB are sent, %s',
  async (_how, bytes) => {
    const { stdout, stderr } = await runScript(
      `
    import { once } from 'node:events';
    import http from 'node:http';
    import net from 'node:net';
    import { SSEKify } from 'ssekify';
    ${IN_USE}
    const sse = new SSEKify();
    const server = http.createServer((req, res) => sse.registerConnection('ann', res));
    server.listen(0);
    await once(server, 'listening');
    const socket = net.connect(server.address().port);
    socket.write('GET / HTTP/1.1\\r\\nHost: x\\r\\n\\r\\n');
    await once(socket, 'data');
    socket.pause();
    const before = await inUse();
    let most = 0;
    let sent = 0;
    const text = 'x'.repeat(${bytes - 60});
    for (let tick = 1; sent < 200 * 1024 * 1024; tick += 1) {
      for (let inTick = 0; inTick < 64 * 1024; inTick += ${bytes}) {
        sse.sendToUser('ann', text, { text: true });
        sent += ${bytes};
      }
      await turn();
      if (tick % 200 === 0) most = Math.max(most, (await inUse()) - before);
    }
    most = Math.max(most, (await inUse()) - before);
    const { droppedOldest, queueItemsMax, connections } = sse.stats();
    console.log(JSON.stringify({ most, droppedOldest, queueItemsMax, connections }));
    socket.destroy();
    server.close();
    await sse.shutdown();
  `,
      { nodeOptions: ['--expose-gc'], timeoutMs: 60_000 },
    );
    expect(stderr).toBe('');
    const { most, droppedOldest, queueItemsMax, connections } = JSON.parse(stdout);
    expect(connections).toBe(1);
    expect(droppedOldest).toBeGreaterThan(0);
    expect(queueItemsMax).toBeLessThanOrEqual(100);
    expect(most).toBeLessThan(12 * MEGABYTE);
  },
  60_000,
);
