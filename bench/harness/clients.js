/** The client process of a measurement: raw sockets that count the frames they get. */
const net = require('node:net');
const tls = require('node:tls');
const { once } = require('node:events');
const { answer } = require('./child.js');
const { sharedNow } = require('./clock.js');
const { MARK } = require('./payload.js');
const { request } = require('./requests.js');
const { quantile } = require('./statistics.js');

const MARK_BYTE = MARK.charCodeAt(0);
const AT_ONCE = 64;
/** Until the heads of all responses have come. */
const HEADS_MS = 200;

/** Frames per connection. */
const counts = [];
const sockets = [];
let total = 0;
let bytes = 0;
let lost = 0;
/** Frames of all connections at which the round is over, and how many there are in a round. */
let roundEndsAt = Number.POSITIVE_INFINITY;
let roundSize = 0;
let rounds;
/** When each connection got each frame, while that is recorded: [frame * connections + connection]. */
let arrivals;

function received(index, length, buffer) {
  bytes += length;
  for (let at = 0; at < length; at += 1) {
    if (buffer[at] !== MARK_BYTE) continue;
    if (arrivals !== undefined) arrivals[counts[index] * counts.length + index] = sharedNow();
    counts[index] += 1;
    total += 1;
    if (total === roundEndsAt) {
      roundEndsAt += roundSize;
      rounds.write('.');
    }
  }
}

/** Opens one connection. @returns when the first bytes of the answer are there */
async function open(index, { port, protocol, path, lastEventId }) {
  counts[index] = 0;
  let first;
  const answered = new Promise((resolve, reject) => {
    first = { resolve, reject };
  });
  answered.catch(() => undefined);
  const onBytes = (length, buffer) => {
    first.resolve();
    received(index, length, buffer);
    return true;
  };
  const socket = connect(port, protocol, onBytes);
  sockets.push(socket);
  socket.on('error', first.reject);
  socket.on('close', () => {
    lost += 1;
    first.reject(new Error('the server closed the connection'));
  });
  await once(socket, protocol === 'https' ? 'secureConnect' : 'connect');
  socket.write(request(protocol, path, lastEventId));
  await answered;
}

/** All sockets read into the same buffer: the clients should cost little beside the server. */
const shared = Buffer.allocUnsafe(64 * 1024);

function connect(port, protocol, onBytes) {
  if (protocol !== 'https') {
    return net.connect({ port, host: '127.0.0.1', noDelay: true, onread: { buffer: shared, callback: onBytes } });
  }
  const socket = tls.connect({ port, host: '127.0.0.1', rejectUnauthorized: false });
  socket.on('data', (chunk) => onBytes(chunk.length, chunk));
  return socket;
}

answer({
  /** Opens `count` connections, the first for `user(first)`; several calls add up. */
  async connect({ port, protocol, count, rooms, first = 0, atOnce = AT_ONCE, lastEventId }) {
    const from = counts.length;
    let next = 0;
    const startedAt = sharedNow();
    const openAll = async () => {
      while (next < count) {
        const index = next;
        next += 1;
        const room = rooms > 0 ? `/r${(first + index) % rooms}` : '';
        await open(from + index, { port, protocol, path: `/u${first + index}${room}`, lastEventId });
      }
    };
    await Promise.all(Array.from({ length: Math.min(atOnce, count) }, openAll));
    return { ms: sharedNow() - startedAt };
  },
  /** The head of an HTTP/2 response is packed, and may hold the mark by chance: what came so far is no frame. */
  async forget() {
    await new Promise((resolve) => setTimeout(resolve, HEADS_MS));
    counts.fill(0);
    total = 0;
  },
  /** From now on tells the server whenever every connection has got `perConnection` more frames. */
  async announceRounds({ port, perConnection }) {
    rounds = net.connect({ port, host: '127.0.0.1', noDelay: true });
    await once(rounds, 'connect');
    roundSize = counts.length * perConnection;
    roundEndsAt = total + roundSize;
  },
  record({ events }) {
    arrivals = new Float64Array(events * counts.length);
  },
  /** Milliseconds from sending to arrival, but for the events before `skip`. */
  latency({ sentAt, skip }) {
    const latencies = [];
    for (const [event, at] of sentAt.entries()) {
      for (let index = 0; event >= skip && index < counts.length; index += 1) {
        const arrival = arrivals[event * counts.length + index];
        if (arrival > 0) latencies.push(arrival - at);
      }
    }
    return { p50: quantile(latencies, 0.5), p99: quantile(latencies, 0.99), max: quantile(latencies, 1) };
  },
  /** Waits a moment for `total` frames; more of them than that show up as well. */
  async counts({ expected }) {
    for (let waited = 0; total < expected && waited < 5000; waited += 10) {
      await new Promise((resolve) => setTimeout(resolve, 10));
    }
    let least = Number.POSITIVE_INFINITY;
    let most = 0;
    for (const count of counts) {
      least = Math.min(least, count);
      most = Math.max(most, count);
    }
    return { total, least, most, bytes, closed: lost };
  },
  /** A reset leaves nothing in TIME_WAIT. */
  close() {
    for (const socket of sockets) (socket.resetAndDestroy ?? socket.destroy).call(socket);
  },
});
