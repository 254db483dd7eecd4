/** A redis-server of the benchmark's own, on a free port of the loopback interface, without persistence. */
const { spawn, spawnSync } = require('node:child_process');
const { once } = require('node:events');
const net = require('node:net');

const hasRedis = () => spawnSync('redis-server', ['--version']).status === 0;

async function freePort() {
  const server = net.createServer().listen(0, '127.0.0.1');
  await once(server, 'listening');
  const { port } = server.address();
  server.close();
  await once(server, 'close');
  return port;
}

async function startRedis() {
  const port = await freePort();
  const settings = ['--port', String(port), '--bind', '127.0.0.1', '--save', '', '--appendonly', 'no'];
  const child = spawn('redis-server', settings, { stdio: 'ignore' });
  const failed = once(child, 'error').then(([error]) => {
    throw new Error(`redis-server could not be started: ${error.message}`);
  });
  failed.catch(() => undefined);
  // Loaded late: it may have to be installed first.
  const { Redis } = require('ioredis');
  const client = new Redis(port, '127.0.0.1', { retryStrategy: () => 20, maxRetriesPerRequest: 500 });
  client.on('error', () => undefined);
  await Promise.race([client.ping(), failed]);
  return {
    url: `redis://127.0.0.1:${port}`,
    /** Microseconds of CPU it has used. */
    async cpu() {
      const info = await client.info('cpu');
      const seconds = (name) => Number(new RegExp(`^${name}:(.*)$`, 'm').exec(info)[1]);
      return (seconds('used_cpu_user') + seconds('used_cpu_sys')) * 1e6;
    },
    /** How many times it was given a command. */
    async calls(command) {
      const found = new RegExp(`^cmdstat_${command}:calls=(\\d+)`, 'm').exec(await client.info('commandstats'));
      return found === null ? 0 : Number(found[1]);
    },
    async stop() {
      client.disconnect();
      const exited = once(child, 'exit');
      child.kill('SIGKILL');
      await exited;
    },
  };
}

async function withRedis(use) {
  const redis = await startRedis();
  try {
    return await use(redis);
  } finally {
    await redis.stop();
  }
}

module.exports = { hasRedis, withRedis };
