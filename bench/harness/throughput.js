/** The measurement that most scenarios are: CPU per delivery in a closed loop. */
const { closedLoop } = require('./closed-loop.js');
const { withSession } = require('./session.js');

const METRIC = { key: 'cpu', title: 'server CPU per delivery', unit: 'µs' };

/** Runs the loop of a scenario, whose `onServer` returns what `closedLoop` does. */
async function cpuPerDelivery({ scenario, subject, size, session: wish = {}, perRound = 1 }) {
  const { connections } = size;
  const session = { scenarioName: scenario.name, subject, connections, perRound, ...wish };
  return withSession(session, async ({ run, check, server }) => {
    const { rounds, measuredRounds, cpu, ms } = await run(size);
    const { bytes } = await check(rounds * perRound, connections);
    const deliveries = measuredRounds * perRound * connections;
    return {
      cpu: cpu / deliveries,
      details: {
        deliveries,
        perSecond: Math.round((deliveries / ms) * 1000),
        bytesPerDelivery: Math.round(bytes / (rounds * perRound * connections)),
        stats: await server.call('stats'),
      },
    };
  });
}

/** A scenario's server part that does `send(subject, size)` once per round. */
const loopOf = (send) => (context, size) => closedLoop(context, () => send(context.subject, size), size);

/** How long to measure, by how thorough the run is. */
const loopSizes = (connections, more = {}) => ({
  full: { connections, warmUpMs: 700, ms: 1500, ...more },
  quick: { connections, warmUpMs: 400, ms: 600, ...more },
  smoke: { connections: 20, warmUpMs: 0, ms: 1, maxRounds: 5, ...more },
});

module.exports = { METRIC, cpuPerDelivery, loopOf, loopSizes };
