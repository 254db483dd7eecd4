/** Starts Egg as `egg-scripts` does: a master, an agent, and a worker that answers. */
const { once } = require('node:events');
const net = require('node:net');
const { startCluster } = require('egg');
const { port } = require('../hub');

// The master waits for its agent for the whole of this time, which is 5 s unless it is told otherwise.
process.env.EGG_AGENT_CLOSE_TIMEOUT ??= '500';

/** Egg's master takes no port 0, which asks for a free one. */
async function freePort() {
  const server = net.createServer().listen(0);
  await once(server, 'listening');
  const own = server.address().port;
  server.close();
  await once(server, 'close');
  return own;
}

exports.start = async ({ name, baseDir, ownPort }) => {
  const own = port(ownPort) || (await freePort());
  // Of several workers each has a hub of its own, with the streams that it was given: only what is published by way
  // of Redis reaches them all.
  await startCluster({ baseDir, workers: 1, port: own });
  console.log(`${name}: http://localhost:${own}`);
};
