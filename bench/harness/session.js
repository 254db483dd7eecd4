/** A server process with clients connected to it, made anew for every measurement. */
const { start } = require('./child.js');

/**
 * @param {object} wish
 * @param {string} wish.scenarioName whose `onServer` the server is to run
 * @param {string} wish.subject
 * @param {number} wish.connections
 * @param {number} [wish.perRound] frames per connection in a round of the closed loop
 * @param {'http' | 'https' | 'http2'} [wish.protocol]
 */
async function openSession(wish) {
  const session = await openServer(wish);
  try {
    await session.connect(wish.connections, wish);
    return session;
  } catch (error) {
    await session.close();
    throw error;
  }
}

async function openServer({ scenarioName, subject, protocol = 'http', options, execArgv = [], env }) {
  const server = start('server.js', { execArgv: [...execArgv, ...profiling()], env });
  const clients = start('clients.js');
  const close = async () => {
    await clients.call('close').catch(() => undefined);
    await Promise.all([clients.stop(), server.stop()]);
  };
  try {
    const { port, roundsPort } = await server.call('open', { scenarioName, subject, protocol, options });
    let connected = 0;
    return {
      server,
      clients,
      close,
      /** What the scenario does in the server process. */
      run: (args) => server.call('run', args),
      async connect(count, { perRound, rooms = 0, first, atOnce, lastEventId } = {}) {
        const opened = await clients.call('connect', { port, protocol, count, rooms, first, atOnce, lastEventId });
        connected += count;
        await server.call('connected', { count: connected });
        if (protocol === 'http2') await clients.call('forget');
        if (perRound !== undefined) {
          await clients.call('announceRounds', { port: roundsPort, perConnection: perRound });
        }
        return opened;
      },
      /** @throws when a client has got more or fewer frames than `perConnection` */
      async check(perConnection, connections) {
        const counts = await clients.call('counts', { expected: perConnection * connections });
        const { least, most, closed } = counts;
        if (least === perConnection && most === perConnection && closed === 0) return counts;
        const what = `${least} to ${most} frames per client, and ${closed} clients cut off, instead of ${perConnection}`;
        throw Object.assign(new Error(what), { lost: true });
      },
    };
  } catch (error) {
    await close();
    throw error;
  }
}

function profiling() {
  const folder = process.env.SSEKIFY_BENCH_PROFILES;
  return folder === undefined ? [] : ['--cpu-prof', '--cpu-prof-dir', folder];
}

/** Does something with a session, and closes it. */
async function withSession(wish, use) {
  const session = await openSession(wish);
  try {
    return await use(session);
  } finally {
    await session.close();
  }
}

module.exports = { openServer, withSession };
