/** What both bridges have in common: from the upstream to the clients, and the routes. */
const { readFile } = require('node:fs/promises');
const { createHub, openStream } = require('./app');
const { number, text } = require('./config');
const { createUpstream } = require('./upstream');

/** A hub with an upstream, which is not open yet. */
exports.createBridge = () => {
  // Each instance has an upstream connection of its own, and sends to its own clients: a channel would double every event.
  const sse = createHub({ redis: undefined });
  const counts = { forwarded: 0, dropped: 0 };

  /** The upstream says in `userId` whom an event is for; without one it is for everyone. */
  function forward({ event, data: received }) {
    const { data, isText } = read(received);
    try {
      const sent = { event, text: isText };
      if (isFor(data)) sse.sendToUser(data.userId, data, sent);
      else sse.sendToAll(data, sent);
      counts.forwarded += 1;
    } catch (error) {
      // A user id that is none does not make it everyone's.
      counts.dropped += 1;
      console.error(`bridge: dropped an event: ${error.message}`);
    }
  }

  const upstream = createUpstream({
    url: text('PY_SSE_URL', 'http://localhost:8000/sse'),
    headers: upstreamHeaders,
    events: text('UPSTREAM_EVENTS', 'message,tick').split(','),
    retryMs: number('UPSTREAM_RETRY_MS', 1000),
    onEvent: forward,
  });
  return { sse, upstream, counts };
};

/** Asked before each connect, so that a token that was renewed in its file is used from then on. */
async function upstreamHeaders() {
  const file = text('UPSTREAM_TOKEN_FILE');
  const token = file === undefined ? text('UPSTREAM_TOKEN') : (await readFile(file, 'utf8')).trim();
  const userId = text('UPSTREAM_TO');
  return {
    ...(token !== undefined && { Authorization: `Bearer ${token}` }),
    ...(userId !== undefined && { 'X-Upstream-To': userId }),
  };
}

/** JSON as what it says, and other text as it is. */
function read(received) {
  try {
    return { data: JSON.parse(received), isText: false };
  } catch {
    return { data: received, isText: true };
  }
}

const isFor = (data) => typeof data === 'object' && data !== null && Object.hasOwn(data, 'userId');

/** How a bridge is, as the status and body of an answer. */
function healthOf({ sse, upstream, counts }) {
  const status = upstream.status();
  // Closed is as it should be when nobody is there; to be lost, or not there yet, is not.
  const isWell = status.state === 'open' || status.state === 'closed';
  const { connections } = sse.stats();
  return {
    status: isWell ? 200 : 503,
    body: { status: isWell ? 'ok' : 'degraded', upstream: status, connections, ...counts },
  };
}
exports.healthOf = healthOf;

exports.addBridgeRoutes = (app, bridge) => {
  app.get('/sse', (req, res) => openStream(bridge.sse, req, res));
  app.get('/health', (_req, res) => {
    const { status, body } = healthOf(bridge);
    res.status(status).json(body);
  });
};
