/** What the examples have in common: an application that answers in JSON, a hub's routes, and an orderly end. */
const express = require('express');
const { answerTo, closeServer, createHub, namesIn, onEnd, problem } = require('../hub');
const { port } = require('./config');

exports.createHub = createHub;
exports.problem = problem;

/** Opens a stream for the user that the query names. A demo believes it; your application takes the user from its session. */
exports.openStream = (sse, req, res) => {
  sse.registerConnection(req.query.userId, res, { rooms: namesIn(req.query.rooms) });
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
    const { status, body } = answerTo(error);
    res.status(status).json(body);
  });
  const server = app.listen(port(ownPort), (error) => {
    if (error) throw error;
    console.log(`${name}: http://localhost:${server.address().port}`);
  });
  onEnd(async () => {
    await stop();
    closeServer(server);
  });
};

/** The body as an object, or an array. */
function bodyOf({ body }) {
  if (body === undefined) throw problem(415, 'the body is missing: send JSON, as application/json');
  return body;
}
exports.bodyOf = bodyOf;

/** The `userId` of the body. */
exports.userIdIn = (req) => {
  const { userId } = bodyOf(req);
  if ((typeof userId === 'string' && userId !== '') || Number.isFinite(userId)) return userId;
  throw problem(400, 'userId is missing: expected a non-empty string');
};

/** The body as `{ event?, data }`. */
function eventIn(req) {
  const body = bodyOf(req);
  if (!Object.hasOwn(body, 'data'))
    throw problem(400, 'the body has no data: send { "event": name, "data": anything }');
  return body;
}
exports.eventIn = eventIn;
