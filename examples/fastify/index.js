const cors = require('@fastify/cors');
const createFastify = require('fastify');
const { answerTo, createHub, eventIn, namesIn, onEnd, port } = require('../hub');

const sse = createHub();

const fastify = createFastify({ bodyLimit: 64 * 1024 });
fastify.removeContentTypeParser('text/plain');
fastify.register(cors);
fastify.setNotFoundHandler((_request, reply) => reply.code(404).send({ error: 'no such route' }));
fastify.setErrorHandler((error, _request, reply) => {
  const { status, body } = answerTo(error);
  reply.code(status).send(body);
});

// Routes come after plugins: a route has the hooks of those that were there before it.
fastify.after(() => {
  // A demo believes what the URL says. Your application takes the user from its session, and decides who may join a room.
  fastify.get('/sse', (request, reply) => {
    const { userId, rooms } = request.query;
    // What hooks set on the reply, CORS for example, is not on the raw response: it is passed on.
    sse.registerConnection(userId, reply.raw, { rooms: namesIn(rooms), headers: reply.getHeaders() });
    // The response is the hub's from now on. Should the line above throw, Fastify still answers.
    reply.hijack();
  });

  fastify.post('/notify/:userId', async ({ params, body }) => ({
    reached: sse.sendToUser(params.userId, ...eventIn(body)),
  }));

  fastify.post('/broadcast', async ({ body }) => ({ reached: sse.sendToAll(...eventIn(body)) }));

  fastify.post('/room/:room', async ({ params, body }) => ({
    reached: sse.sendToRoom(params.room, ...eventIn(body)),
  }));

  // As /room, but to every instance on the channel. Without Redis that is this one.
  fastify.post('/publish-room/:room', ({ params, body }) => sse.publishToRoom(params.room, ...eventIn(body)));

  fastify.post('/close/:userId', async ({ params }) => ({ closed: sse.close(params.userId) }));

  fastify.get('/stats', async () => sse.stats());
});

fastify.listen({ port: port(3020), host: '0.0.0.0' }).then(() => {
  console.log(`ssekify with Fastify: http://localhost:${fastify.server.address().port}`);
});

onEnd(async () => {
  // First the hub: Fastify, while it closes, answers 503, after which a browser would not come back.
  await sse.shutdown();
  await fastify.close();
});
