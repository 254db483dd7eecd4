const { createHandler } = require('../fetch');
const { createHub, onEnd, port } = require('../hub');

const sse = createHub();

const onListen = ({ port: own }) => console.log(`ssekify with Deno: http://localhost:${own}`);
const server = Deno.serve({ port: port(3090), onListen }, createHandler(sse));

onEnd(async () => {
  await sse.shutdown();
  await server.shutdown();
});
