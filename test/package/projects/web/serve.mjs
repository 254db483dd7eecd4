/** A hub in the server that Bun or Deno has, for tests to speak to. */
import { SSEKify } from 'ssekify';

const { STALL_TIMEOUT_MS = '60000' } = process.env;
const sse = new SSEKify({ maxConnectionsPerUser: 2, connection: { stallTimeoutMs: Number(STALL_TIMEOUT_MS) } });
const disconnects = [];
const refusals = [];
const errors = [];
sse.on('disconnect', ({ userId, reason }) => disconnects.push(`${userId} ${reason}`));
sse.on('error', ({ code }) => errors.push(code));
process.on('uncaughtException', (error) => errors.push(String(error)));
process.on('unhandledRejection', (error) => errors.push(String(error)));

const commands = {
  /** `count` events to everyone, one in each turn of the event loop. */
  async send({ count = 1, size = 0 }) {
    for (let n = 0; n < count; n += 1) {
      sse.sendToAll({ n, text: 'é'.repeat(size) }, { id: `é-日本-${n}` });
      await new Promise((resolve) => setImmediate(resolve));
    }
  },
  close: ({ user }) => sse.close(user),
  shutdown: () => sse.shutdown({ graceMs: 500 }),
  stats: () => ({ ...sse.stats(), disconnects, refusals, errors }),
};

async function handle(request) {
  const { pathname, searchParams } = new URL(request.url);
  const [, what, argument] = pathname.split('/');
  if (what === 'command') return Response.json((await commands[argument](await request.json())) ?? null);
  return sse.respond(request, what, {
    rooms: searchParams.getAll('room'),
    headers: { 'X-Own': 'yes', 'Set-Cookie': ['a=1', 'b=2'], Connection: 'close', 'Content-Length': 5 },
    connected: ({ refused }) => refused !== undefined && refusals.push(refused),
  });
}

const tell = (port) => console.log(`http://localhost:${port} `);
if (globalThis.Bun === undefined) Deno.serve({ port: 0, onListen: ({ port }) => tell(port) }, handle);
else tell(Bun.serve({ port: 0, fetch: handle, idleTimeout: 0 }).port);
