const { createHandler } = require('../fetch');
const { createHub, onEnd, port } = require('../hub');

const sse = createHub();

const server = Bun.serve({
  port: port(3080),
  fetch: createHandler(sse),
  // Bun ends what was silent for 10 s, sooner than the first heartbeat.
  idleTimeout: 0,
});
console.log(`ssekify with Bun: http://localhost:${server.port}`);

onEnd(async () => {
  await sse.shutdown();
  await server.stop();
});
