// Two readers at 5 KB a second for three minutes, on defaults: one that the load just suits, one that is behind from the
// first moment on. Both must stay connected and lose nothing. Usage: npm run soak [-- <seconds>]. Exit code 0 = they did.
const http = require('node:http');
const net = require('node:net');
const { SSEKify } = require('../dist/index.js');

const SECONDS = Number(process.argv[2] ?? 180);
const BYTES_PER_SECOND = 5 * 1024;
const STEPS_PER_SECOND = 10;
const CATCH_UP_MS = 30_000;

/** A client that takes its bytes from the socket a few at a time, until it is told to hurry. */
function slowReader(port, userId) {
  const buffer = Buffer.alloc(BYTES_PER_SECOND / STEPS_PER_SECOND);
  const reader = { userId, bytes: 0, text: '', hurried: false, closed: false };
  const socket = net.connect({
    port,
    onread: {
      buffer,
      callback(length, filled) {
        reader.bytes += length;
        reader.text += filled.toString('latin1', 0, length);
        return reader.hurried;
      },
    },
  });
  socket.on('error', () => undefined);
  socket.on('close', () => {
    reader.closed = true;
  });
  socket.write(`GET /${userId} HTTP/1.0\r\n\r\n`);
  const pace = setInterval(() => socket.resume(), 1000 / STEPS_PER_SECOND);
  reader.hurry = () => {
    clearInterval(pace);
    reader.hurried = true;
    socket.resume();
  };
  reader.leave = () => socket.destroy();
  /** Ids in the order of their arrival. */
  reader.ids = () => [...reader.text.matchAll(/^id: (\d+)$/gm)].map(([, id]) => Number(id));
  return reader;
}

async function main() {
  const sse = new SSEKify();
  const left = [];
  sse.on('disconnect', (info) => left.push(info));
  sse.on('error', (error) => console.error(error));
  const server = http.createServer((req, res) => sse.registerConnection(req.url.slice(1), res));
  await new Promise((resolve) => server.listen(0, '127.0.0.1', resolve));
  const { port } = server.address();
  const readers = [slowReader(port, 'steady'), slowReader(port, 'behind')];
  while (sse.stats().connections < 2) await new Promise((resolve) => setTimeout(resolve, 10));

  const sent = { steady: 0, behind: 0 };
  const send = (userId, length) => {
    const accepted = sse.sendToUser(userId, 'x'.repeat(length), { id: sent[userId], text: true });
    sent[userId] += 1;
    if (accepted !== 1) console.error(`${userId}: event ${sent[userId]} was not accepted`);
  };
  // More than the kernel holds, in one tick: it takes the whole soak, and more, to read this.
  for (let n = 0; n < 12; n += 1) send('behind', 900_000);
  for (let second = 1; second <= SECONDS; second += 1) {
    await new Promise((resolve) => setTimeout(resolve, 1000));
    // Four fifths of what it reads, in bursts.
    if (second % 5 === 0) for (let n = 0; n < 5; n += 1) send('steady', 4096);
    // As many small ones as its queue holds by default.
    if (second % 2 === 0 && second <= 200) send('behind', 200);
    if (second % 30 === 0) {
      const { connections, droppedOldest, queueItemsMax } = sse.stats();
      const read = readers.map(({ userId, bytes }) => `${userId} read ${Math.round(bytes / 1024)} KB`).join(', ');
      console.log(`${second} s: ${connections} connected, ${read}, ${droppedOldest} dropped, ${queueItemsMax} queued`);
    }
  }
  const alive = left.length === 0 && readers.every(({ closed }) => !closed);
  const read = readers.map(({ bytes }) => Math.round(bytes / SECONDS));
  for (const reader of readers) reader.hurry();
  const deadline = Date.now() + CATCH_UP_MS;
  const complete = ({ userId, text }) => text.includes(`\nid: ${sent[userId] - 1}\n`);
  while (!readers.every(complete) && Date.now() < deadline) await new Promise((resolve) => setTimeout(resolve, 50));
  const lost = readers.filter((reader) => reader.ids().join() !== [...Array(sent[reader.userId]).keys()].join());
  for (const { userId } of lost) console.error(`${userId}: not all of its ${sent[userId]} events arrived in order`);
  for (const { userId, reason } of left) console.error(`${userId}: disconnected (${reason})`);
  console.log(`bytes read a second: ${read.join(' and ')}; sent: ${sent.steady} and ${sent.behind} events`);
  const ok = alive && lost.length === 0 && sse.stats().droppedOldest === 0;
  console.log(ok ? 'alive, nothing lost' : 'FAILED');
  process.exitCode = ok ? 0 : 1;
  for (const reader of readers) reader.leave();
  await sse.shutdown({ graceMs: 0 });
  server.close();
}

main();
