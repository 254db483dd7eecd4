const path = require('node:path');
const express = require('express');
const { SSEKify, SSEKifyError } = require('ssekify');
const { hubOptions } = require('./config');

const sse = new SSEKify(hubOptions());
sse.on('error', (error) => console.error(`ssekify: ${error.code}: ${error.message}`));

const app = express();
app.use(express.static(path.join(__dirname, 'public')));
app.use(express.json({ limit: '64kb', strict: false }));

// A demo believes what the URL says. Your application takes the user from its session, and decides who may join a room.
app.get('/sse', (req, res) => {
  const handle = sse.registerConnection(req.query.userId, res, { rooms: namesIn(req.query.rooms) });
  if (handle.closed) return;
  // What the client missed has gone out first, so this event marks where the live ones begin.
  handle.send({ rooms: handle.rooms, resumedAfter: handle.lastEventId ?? null }, { event: 'live' });
  // A client resumes after the last id it saw. This gives a new one its first, in case its network fails right away.
  if (handle.lastEventId === undefined) sse.sendToUser(handle.userId, { hello: handle.userId }, { event: 'hello' });
});

app.post('/notify/:userId', (req, res) => {
  const { event, data } = eventIn(req);
  res.json({ reached: sse.sendToUser(req.params.userId, data, { event }) });
});

app.post('/broadcast', (req, res) => {
  const { event, data } = eventIn(req);
  res.json({ reached: sse.sendToAll(data, { event }) });
});

app.post('/room/:room', (req, res) => {
  const { event, data } = eventIn(req);
  res.json({ reached: sse.sendToRoom(req.params.room, data, { event }) });
});

// As /room, but to every instance on the channel. Without Redis that is this one.
app.post('/publish-room/:room', async (req, res) => {
  const { event, data } = eventIn(req);
  res.json(await sse.publishToRoom(req.params.room, data, { event }));
});

app.post('/close/:userId', (req, res) => {
  res.json({ closed: sse.close(req.params.userId) });
});

app.get('/stats', (_req, res) => {
  res.json(sse.stats());
});

app.use((_req, res) => {
  res.status(404).json({ error: 'no such route' });
});

app.use((error, _req, res, next) => {
  if (res.headersSent) return next(error);
  const status = statusOf(error);
  if (status === 500) console.error(error);
  res.status(status).json({ error: status === 500 ? 'internal error' : error.message, code: error.code });
});

/** `a,b` as room names. */
function namesIn(list = '') {
  return String(list)
    .split(',')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

/** A body with a `data` member is `{ event?, data }`; any other JSON is itself the data. */
function eventIn(req) {
  const { body } = req;
  if (body === undefined || req.get('Content-Length') === '0') {
    throw Object.assign(new Error('the body is missing: send JSON, as application/json'), { status: 415 });
  }
  return typeof body === 'object' && body !== null && Object.hasOwn(body, 'data') ? body : { data: body };
}

function statusOf(error) {
  if (!(error instanceof SSEKifyError)) return error.status ?? 500;
  return /^(INVALID_|NOT_SERIALIZABLE|PAYLOAD_TOO_LARGE)/.test(error.code) ? 400 : 503;
}

const server = app.listen(Number(process.env.PORT || 3000), (error) => {
  if (error) throw error;
  console.log(`ssekify demo: http://localhost:${server.address().port}`);
});

async function stop() {
  await sse.shutdown();
  server.close();
  // A request that never ends must not keep the process.
  setTimeout(() => server.closeAllConnections(), 1000).unref();
}
process.on('SIGTERM', stop);
process.on('SIGINT', stop);
