/**
 * A service that only publishes: so many events a second to users, rooms and everyone, each until it is acknowledged. It
 * keeps the list of what was acknowledged, which no hub has a part in.
 */
const { setTimeout: wait } = require('node:timers/promises');
const { SSEKify } = require('ssekify');
const { adapterOf } = require('./adapter.js');
const { answer, settings } = require('./answers.js');

const { adapter, hub, index, users, rooms } = settings;
const PACE_MS = 20;
/** Of these, more than are ever on their way while Redis answers. */
const MOST_IN_FLIGHT = 500;
const FIRST_RETRY_MS = 50;
const LONGEST_RETRY_MS = 250;

const sse = new SSEKify({ redis: adapterOf(adapter), ...hub });
const errors = {};
sse.on('error', ({ code, message }) => {
  errors[code] ??= { count: 0, message };
  errors[code].count += 1;
});

let publications = [];
let acknowledged = 0;
let next = 0;
const inFlight = new Set();
let pacing;
let giveUpAt = Number.POSITIVE_INFINITY;

/** One in twenty goes to everyone, one in ten to a room, the others to a user. */
function scopeOf(n) {
  if (n % 20 === 10) return { kind: 'all' };
  if (n % 10 === 5) return { kind: 'room', target: rooms[(index + Math.floor(n / 10)) % rooms.length] };
  return { kind: 'user', target: users[(n * 7 + index) % users.length] };
}

function publishTo({ kind, target }, data, options) {
  if (kind === 'all') return sse.publishToAll(data, options);
  if (kind === 'room') return sse.publishToRoom(target, data, options);
  return sse.publishToUser(target, data, options);
}

/** Publishes until it is acknowledged: again under the same key, or where there are no keys under the same id. */
async function publish(scope, pad) {
  const publication = { p: index, n: next, scope, calledAt: Date.now(), attempts: 0 };
  next += 1;
  publications.push(publication);
  const { p, n } = publication;
  // What goes to a room is numbered, across publishers.
  const numbered = scope.kind === 'room' ? { streamId: scope.target } : {};
  const options = adapter.mode === 'log' ? { key: `${p}:${n}` } : {};
  for (let retryMs = FIRST_RETRY_MS; ; retryMs = Math.min(retryMs * 2, LONGEST_RETRY_MS)) {
    publication.attempts += 1;
    try {
      const { id } = await publishTo(scope, { p, n, at: Date.now(), pad, ...numbered }, options);
      publication.id = id;
      publication.acknowledgedAt = Date.now();
      acknowledged += 1;
      return publication;
    } catch (error) {
      if (Date.now() > giveUpAt) return publication;
      if (adapter.mode === 'channel') options.id = error.id;
      await wait(retryMs);
    }
  }
}

/** Publishes, and keeps count of what is not yet settled. */
function start(scope, pad) {
  const settled = publish(scope, pad).finally(() => inFlight.delete(settled));
  inFlight.add(settled);
  return settled;
}

function stopPacing() {
  clearInterval(pacing);
  pacing = undefined;
}

answer({
  ready: () => sse.ready(),
  /** Publishes at a steady rate from now on; after a pause it does not make up for what it missed. */
  pace({ perSecond }) {
    stopPacing();
    giveUpAt = Number.POSITIVE_INFINITY;
    let due = 0;
    let at = performance.now();
    pacing = setInterval(() => {
      const now = performance.now();
      due += (Math.min(now - at, 5 * PACE_MS) / 1000) * perSecond;
      at = now;
      for (; due >= 1; due -= 1) if (inFlight.size < MOST_IN_FLIGHT) start(scopeOf(next));
    }, PACE_MS);
  },
  /** Publishes so many events to one scope, all at once. */
  burst: ({ scope, count, padBytes }) =>
    Promise.all(Array.from({ length: count }, () => start(scope, 'x'.repeat(padBytes)))),
  /** Publishes no more. Resolves once all is acknowledged, or has failed once more after so long. */
  async rest({ patienceMs }) {
    stopPacing();
    giveUpAt = Date.now() + patienceMs;
    await Promise.all(inFlight);
  },
  /** What was published since the last time this was asked. */
  publications() {
    const list = publications;
    publications = [];
    return list;
  },
  acknowledged: () => acknowledged,
  report: () => ({ stats: sse.stats(), errors, gaps: {} }),
});
