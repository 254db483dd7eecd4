const http2 = require('node:http2');
const { onEnd, port } = require('../hub');
const { listener, sse } = require('../http/app');
const { selfSigned } = require('./certificate');

// Browsers speak HTTP/2 over TLS only. Who cannot speak it gets HTTP/1.1 on the same port.
const server = http2.createSecureServer({ ...selfSigned(), allowHTTP1: true }, listener);

const sockets = new Set();
server.on('secureConnection', (socket) => {
  sockets.add(socket);
  socket.on('close', () => sockets.delete(socket));
});
const sessions = new Set();
server.on('session', (session) => {
  sessions.add(session);
  session.on('close', () => sessions.delete(session));
});

server.listen(port(3443), () => {
  console.log(`ssekify with HTTP/2: https://localhost:${server.address().port}`);
});

onEnd(async () => {
  await sse.shutdown();
  server.close();
  // A session without streams stays open; this tells its client not to open more.
  for (const session of sessions) session.close();
  setTimeout(() => {
    for (const socket of sockets) socket.destroy();
  }, 1000).unref();
});
