const { openServer } = require('../harness/session.js');

exports.title = 'Connecting, 64 at a time';
exports.metrics = [
  { key: 'cpu', title: 'server CPU per connect', unit: 'µs' },
  { key: 'perSecond', title: 'connects per second', unit: '1/s' },
];
exports.rounds = 3;
exports.sizes = { full: { connections: 3000 }, quick: { connections: 1500 }, smoke: { connections: 20 } };

exports.measure = async ({ scenario, subject, size }) => {
  const session = await openServer({ scenarioName: scenario.name, subject });
  try {
    const warmUp = Math.ceil(size.connections / 5);
    await session.connect(warmUp);
    const before = await session.server.call('cpu');
    const { ms } = await session.connect(size.connections, { first: warmUp });
    const cpu = (await session.server.call('cpu')) - before;
    await session.check(0, warmUp + size.connections);
    return { cpu: cpu / size.connections, perSecond: (size.connections / ms) * 1000 };
  } finally {
    await session.close();
  }
};
