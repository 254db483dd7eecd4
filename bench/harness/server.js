/** The server process of a measurement: one subject behind one HTTP server, and the scenario's own server part. */
const http = require('node:http');
const https = require('node:https');
const http2 = require('node:http2');
const { once } = require('node:events');
const net = require('node:net');
const { answer } = require('./child.js');
const certificate = require('./certificate.js');
const { scenarioNamed, subjectNamed } = require('./catalogue.js');

const SERVERS = {
  http: (handler) => http.createServer(handler),
  https: (handler) => https.createServer(certificate, handler),
  http2: (handler) => http2.createServer(handler),
};

const context = {
  subject: undefined,
  connections: 0,
  /** Called whenever all clients have got all of a round. */
  onRound: () => undefined,
  /** Microseconds of CPU that this process has used, in user and system mode. */
  cpu() {
    const { user, system } = process.cpuUsage();
    return user + system;
  },
};
let scenario;
let onConnected = () => undefined;

async function listen(server) {
  server.listen({ port: 0, host: '127.0.0.1', backlog: 4096 });
  await once(server, 'listening');
  return server.address().port;
}

async function accept(req, res) {
  // "/<user>/<room>"
  const [, user, room] = req.url.split('/');
  await context.subject.connect(req, res, user, room);
  context.connections += 1;
  onConnected();
}

answer({
  async open({ scenarioName, subject, protocol, options }) {
    scenario = scenarioNamed(scenarioName);
    context.subject = await subjectNamed(subject).create(options);
    const server = SERVERS[protocol](accept);
    // The rounds' end is told over a socket of its own, at the cost of one small read per round.
    const rounds = net.createServer((socket) => {
      socket.on('data', () => context.onRound());
      socket.on('error', () => socket.destroy());
    });
    return { port: await listen(server), roundsPort: await listen(rounds) };
  },
  /** Waits until so many clients are connected. */
  connected({ count }) {
    return new Promise((resolve) => {
      onConnected = () => {
        if (context.connections >= count) resolve();
      };
      onConnected();
    });
  },
  run: (args) => scenario.onServer(context, args),
  cpu: () => context.cpu(),
  stats: () => context.subject.stats?.(),
});
