const http = require('node:http');
const { closeServer, onEnd, port } = require('../hub');
const { listener, sse } = require('./app');

const server = http.createServer(listener);

server.listen(port(3060), () => {
  console.log(`ssekify with plain http: http://localhost:${server.address().port}`);
});

onEnd(async () => {
  await sse.shutdown();
  closeServer(server);
});
