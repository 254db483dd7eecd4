/** The routes, for `http` and `http2` alike. */
const { answerTo, createHub, eventIn, namesIn, only, problem } = require('../hub');

const MAX_BODY_BYTES = 64 * 1024;

const sse = createHub();
exports.sse = sse;

/** What a route answers becomes JSON; a stream answers by itself. */
const ROUTES = {
  // A demo believes what the URL says. Your application takes the user from its session, and decides who may join a room.
  'GET /sse'({ res, query }) {
    const userId = only(query.getAll('userId'));
    sse.registerConnection(userId, res, { rooms: namesIn(query.getAll('rooms')) });
  },
  'POST /notify/:'({ name, body }) {
    return { reached: sse.sendToUser(name, ...eventIn(body)) };
  },
  'POST /broadcast'({ body }) {
    return { reached: sse.sendToAll(...eventIn(body)) };
  },
  'POST /room/:'({ name, body }) {
    return { reached: sse.sendToRoom(name, ...eventIn(body)) };
  },
  // As /room, but to every instance on the channel. Without Redis that is this one.
  'POST /publish-room/:'({ name, body }) {
    return sse.publishToRoom(name, ...eventIn(body));
  },
  'POST /close/:'({ name }) {
    return { closed: sse.close(name) };
  },
  'GET /stats'() {
    return sse.stats();
  },
};

exports.listener = async (req, res) => {
  try {
    const { route, name, query } = routeOf(req);
    const body = req.method === 'POST' ? await bodyOf(req) : undefined;
    const answer = await route({ res, name, query, body });
    if (answer !== undefined) answerJson(res, 200, answer);
  } catch (error) {
    const { status, body } = answerTo(error);
    if (!res.destroyed) answerJson(res, status, body);
  }
};

function answerJson(res, status, value) {
  res.writeHead(status, { 'Content-Type': 'application/json; charset=utf-8' });
  res.end(JSON.stringify(value));
}

function routeOf({ method, url }) {
  const [, path = '', query] = /^([^?#]*)\??([^#]*)/.exec(url) ?? [];
  const [, first = '', last] = /^\/([^/]*)(?:\/([^/]+))?$/.exec(path) ?? [];
  const key = `${method} /${first}${last === undefined ? '' : '/:'}`;
  if (!Object.hasOwn(ROUTES, key)) throw problem(404, 'no such route');
  return { route: ROUTES[key], name: last && decoded(last), query: new URLSearchParams(query) };
}

function decoded(text) {
  try {
    return decodeURIComponent(text);
  } catch {
    throw problem(400, 'the path cannot be decoded');
  }
}

/** The body, which is JSON; `undefined` where there is none. */
async function bodyOf(req) {
  const chunks = [];
  let bytes = 0;
  // The request stays whole when the loop is left, so that there is something to answer to.
  for await (const chunk of req.iterator({ destroyOnReturn: false })) {
    bytes += chunk.length;
    if (bytes > MAX_BODY_BYTES) throw problem(413, `the body is larger than ${MAX_BODY_BYTES} bytes`);
    chunks.push(chunk);
  }
  if (bytes === 0) return undefined;
  if (!/^application\/json\b/i.test(req.headers['content-type'] ?? '')) {
    throw problem(415, 'the body is not said to be application/json');
  }
  try {
    return JSON.parse(Buffer.concat(chunks).toString('utf8'));
  } catch (error) {
    throw problem(400, error.message);
  }
}
