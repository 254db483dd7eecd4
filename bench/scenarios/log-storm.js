const { payload } = require('../harness/payload.js');
const { withRedis } = require('../harness/redis.js');
const { openServer } = require('../harness/session.js');

exports.title = 'Lossless mode: a storm of clients that come back, each to 100 events it missed';
exports.subjects = ['1000', '5000'];
exports.smokeSubjects = ['20'];
exports.baselines = [];
exports.needsRedis = true;
exports.metrics = [
  { key: 'ms', title: 'until all have all of it', unit: 'ms' },
  { key: 'cpu', title: 'server CPU per client', unit: 'µs' },
  { key: 'commands', title: 'reads of Redis that it caused', unit: '' },
];
exports.rounds = 2;
exports.sizes = { full: { events: 100 }, quick: { events: 100 }, smoke: { events: 10 } };

/** Publishes to everyone. @returns the position before */
exports.onServer = async ({ subject }, { events }) => {
  const { id } = await subject.publish('nobody', payload());
  for (let sent = 0; sent < events; sent += 1) await subject.publishToAll(payload());
  return id;
};

exports.measure = ({ scenario, subject, size }) =>
  withRedis(async (redis) => {
    const clients = Number(subject);
    const options = { redis: redis.url };
    const session = await openServer({ scenarioName: scenario.name, subject: 'ssekify-lossless', options });
    try {
      const lastEventId = await session.run(size);
      const [before, readsBefore] = [await session.server.call('cpu'), await redis.calls('xrange')];
      const startedAt = performance.now();
      await session.connect(clients, { lastEventId });
      await session.check(size.events, clients);
      const ms = performance.now() - startedAt;
      const cpu = ((await session.server.call('cpu')) - before) / clients;
      return { ms, cpu, commands: (await redis.calls('xrange')) - readsBefore };
    } finally {
      await session.close();
    }
  });
