const Hapi = require('@hapi/hapi');
const { answerTo, createHub, eventIn, namesIn, onEnd, port } = require('../hub');

const sse = createHub();

const server = Hapi.server({
  port: port(3030),
  routes: { payload: { allow: 'application/json', maxBytes: 64 * 1024 } },
});

// A demo believes what the URL says. Your application takes the user from its session, and decides who may join a room.
server.route({
  method: 'GET',
  path: '/sse',
  handler(request, h) {
    const { userId, rooms } = request.query;
    sse.registerConnection(userId, request.raw.res, { rooms: namesIn(rooms) });
    // The response is the hub's from now on.
    return h.abandon;
  },
});

server.route({
  method: 'POST',
  path: '/notify/{userId}',
  handler: ({ params, payload }) => ({ reached: sse.sendToUser(params.userId, ...eventIn(payload ?? undefined)) }),
});

server.route({
  method: 'POST',
  path: '/broadcast',
  handler: ({ payload }) => ({ reached: sse.sendToAll(...eventIn(payload ?? undefined)) }),
});

server.route({
  method: 'POST',
  path: '/room/{room}',
  handler: ({ params, payload }) => ({ reached: sse.sendToRoom(params.room, ...eventIn(payload ?? undefined)) }),
});

// As /room, but to every instance on the channel. Without Redis that is this one.
server.route({
  method: 'POST',
  path: '/publish-room/{room}',
  handler: ({ params, payload }) => sse.publishToRoom(params.room, ...eventIn(payload ?? undefined)),
});

server.route({
  method: 'POST',
  path: '/close/{userId}',
  handler: ({ params }) => ({ closed: sse.close(params.userId) }),
});

server.route({ method: 'GET', path: '/stats', handler: () => sse.stats() });

server.ext('onPreResponse', ({ response }, h) => {
  if (!response.isBoom) return h.continue;
  // Hapi gives a 500 to every error that is not its own.
  response.status ??= response.output.statusCode;
  const { status, body } = answerTo(response);
  return h.response(body).code(status);
});

server.start().then(() => {
  console.log(`ssekify with Hapi: http://localhost:${server.info.port}`);
});

onEnd(async () => {
  await sse.shutdown();
  await server.stop({ timeout: 1000 });
});
