/** What the examples have in common: an application that answers in JSON, a hub's routes, and an orderly end. */
const express = require('express');
const { SSEKify, SSEKifyError } = require('ssekify');
const { hubOptions, port } = require('./config');

/** A hub with the options of the environment, and these. */
exports.createHub = (options) => {
  const sse = new SSEKify({ ...hubOptions(), ...options });
  sse.on('error', (error) => console.error(`ssekify: ${error.code}: ${error.message}`));
  return sse;
};

/** Opens a stream for the user that the query names. A demo believes it; your application takes the user from its session. */
exports.openStream = (sse, req, res) => {
  const handle = sse.registerConnection(req.query.userId, res, { rooms: namesIn(req.query.rooms) });
  // What the client missed has gone out first, so this event marks where the live ones begin.
  handle.send({ rooms: handle.rooms, resumedAfter: handle.lastEventId ?? null }, { event: 'live' });
};

/** Routes that reach the clients of every instance; `hubOf` finds the hub of a request. */
exports.hubRoutes = (hubOf) => {
  const routes = express.Router({ mergeParams: true });
  routes.get('/sse', (req, res) => exports.openStream(hubOf(req), req, res));
  routes.post('/notify/:userId', async (req, res) => {
    const { event, data } = eventIn(req);
    res.json(await hubOf(req).publishToUser(req.params.userId, data, { event }));
  });
  routes.post('/broadcast', async (req, res) => {
    const { event, data } = eventIn(req);
    res.json(await hubOf(req).publishToAll(data, { event }));
  });
  routes.post('/room/:room', async (req, res) => {
    const { event, data } = eventIn(req);
    res.json(await hubOf(req).publishToRoom(req.params.room, data, { event }));
  });
  routes.get('/stats', (req, res) => res.json(hubOf(req).stats()));
  return routes;
};

/** Serves the routes that `addRoutes` adds, until the process is told to end; `stop` ends the hubs. */
exports.serve = ({ name, ownPort, addRoutes, stop }) => {
  const app = express();
  app.use(express.json({ limit: '64kb' }));
  addRoutes(app);
  app.use((_req, _res, next) => next(problem(404, 'no such route')));
  app.use((error, _req, res, next) => {
    if (res.headersSent) return next(error);
    const status = statusOf(error);
    if (status === 500) console.error(error);
    res.status(status).json({ error: status === 500 ? 'internal error' : error.message, code: error.code });
  });
  const server = app.listen(port(ownPort), (error) => {
    if (error) throw error;
    console.log(`${name}: http://localhost:${server.address().port}`);
  });
  const end = async () => {
    await stop();
    server.close();
    // A request that never ends must not keep the process.
    setTimeout(() => server.closeAllConnections(), 1000).unref();
  };
  process.on('SIGTERM', end);
  process.on('SIGINT', end);
};

/** An error that is answered with this status. */
const problem = (status, message) => Object.assign(new Error(message), { status });
exports.problem = problem;

function statusOf(error) {
  if (!(error instanceof SSEKifyError)) return error.status ?? 500;
  return /^(INVALID_|NOT_SERIALIZABLE|PAYLOAD_TOO_LARGE)/.test(error.code) ? 400 : 503;
}

/** `a,b` as room names. */
function namesIn(list = '') {
  const names = String(list).split(',');
  return names.map((name) => name.trim()).filter((name) => name !== '');
}

/** The body as an object, or an array. */
function bodyOf({ body }) {
  if (body === undefined) throw problem(415, 'the body is missing: send JSON, as application/json');
  return body;
}
exports.bodyOf = bodyOf;

/** The body as `{ event?, data }`. */
function eventIn(req) {
  const body = bodyOf(req);
  if (!Object.hasOwn(body, 'data'))
    throw problem(400, 'the body has no data: send { "event": name, "data": anything }');
  return body;
}
exports.eventIn = eventIn;
