/** One instance of a service that holds connections, as an application would write it: `GET /?user=…&room=…` is a stream. */
const http = require('node:http');
const { SSEKify } = require('ssekify');
const { adapterOf } = require('./adapter.js');
const { answer, settings, stopAnswering } = require('./answers.js');

const { adapter, hub, port, graceMs } = settings;
const sse = new SSEKify({ redis: adapterOf(adapter), ...hub });
const errors = {};
const gaps = {};
sse.on('error', ({ code, message }) => {
  errors[code] ??= { count: 0, message };
  errors[code].count += 1;
});
sse.on('gap', ({ reason }) => {
  gaps[reason] = (gaps[reason] ?? 0) + 1;
});

const server = http.createServer((req, res) => {
  const { searchParams } = new URL(req.url, 'http://localhost');
  sse.registerConnection(searchParams.get('user'), res, { rooms: searchParams.getAll('room') });
});
// The port of the process that this one replaces.
server.listen(port, '127.0.0.1', 4096);

process.on('SIGTERM', async () => {
  server.close();
  await sse.shutdown({ graceMs });
  stopAnswering();
});

answer({
  listening: () =>
    new Promise((resolve) => {
      if (server.listening) resolve(server.address().port);
      else server.once('listening', () => resolve(server.address().port));
    }),
  ready: () => sse.ready(),
  now: () => Date.now(),
  report: () => ({ stats: sse.stats(), errors, gaps }),
});
