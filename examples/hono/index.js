const { serve } = require('@hono/node-server');
const { Hono } = require('hono');
const { bodyLimit } = require('hono/body-limit');
const { cors } = require('hono/cors');
const hub = require('../hub');

const { answerTo, closeServer, createHub, eventIn, namesIn, onEnd, only, port, problem } = hub;

const sse = createHub();

const app = new Hono();
app.use(cors());
app.use(
  bodyLimit({
    maxSize: 64 * 1024,
    onError() {
      throw problem(413, 'the body is too large');
    },
  }),
);

// A demo believes what the URL says. Your application takes the user from its session, and decides who may join a room.
app.get('/sse', (c) => {
  const userId = only(c.req.queries('userId'));
  return sse.respond(c.req.raw, userId, { rooms: namesIn(c.req.query('rooms')) });
});

app.post('/notify/:userId', async (c) => {
  const event = eventIn(await bodyOf(c));
  return c.json({ reached: sse.sendToUser(c.req.param('userId'), ...event) });
});

app.post('/broadcast', async (c) => {
  const event = eventIn(await bodyOf(c));
  return c.json({ reached: sse.sendToAll(...event) });
});

app.post('/room/:room', async (c) => {
  const event = eventIn(await bodyOf(c));
  return c.json({ reached: sse.sendToRoom(c.req.param('room'), ...event) });
});

// As /room, but to every instance on the channel. Without Redis that is this one.
app.post('/publish-room/:room', async (c) => {
  const event = eventIn(await bodyOf(c));
  return c.json(await sse.publishToRoom(c.req.param('room'), ...event));
});

app.post('/close/:userId', (c) => c.json({ closed: sse.close(c.req.param('userId')) }));

app.get('/stats', (c) => c.json(sse.stats()));

app.notFound((c) => c.json({ error: 'no such route' }, 404));

app.onError((error, c) => {
  const { status, body } = answerTo(error);
  return c.json(body, status);
});

/** The body, which is JSON; `undefined` where there is none. */
async function bodyOf(c) {
  if (!/^application\/json\b/i.test(c.req.header('Content-Type') ?? '')) return undefined;
  try {
    return await c.req.json();
  } catch (error) {
    if (!(error instanceof SyntaxError)) throw error;
    throw problem(400, error.message);
  }
}

const server = serve({ fetch: app.fetch, port: port(3050) }, ({ port: own }) => {
  console.log(`ssekify with Hono: http://localhost:${own}`);
});

onEnd(async () => {
  await sse.shutdown();
  closeServer(server);
});
