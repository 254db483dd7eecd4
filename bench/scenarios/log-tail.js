const { payload } = require('../harness/payload.js');
const { withRedis } = require('../harness/redis.js');
const { openServer } = require('../harness/session.js');

exports.title = 'Lossless mode: an instance without clients that follows the log, by events per second';
exports.subjects = ['0', '2000', '10000'];
exports.smokeSubjects = ['2000'];
exports.baselines = [];
exports.needsRedis = true;
exports.metrics = [
  { key: 'cpu', title: 'CPU per second', unit: 'ms' },
  { key: 'perEvent', title: 'CPU per event', unit: 'µs' },
  { key: 'rate', title: 'events per second', unit: '1/s' },
];
exports.rounds = 2;
exports.sizes = { full: { ms: 8000 }, quick: { ms: 4000 }, smoke: { ms: 100 } };

const EVERY_MS = 5;

/** Publishes at a steady rate to 1,000 users. */
exports.onServer = async ({ subject }, { perSecond, ms }) => {
  const events = Math.round((perSecond * ms) / 1000);
  const startedAt = performance.now();
  const publishing = [];
  for (let sent = 0; sent < events || performance.now() - startedAt < ms; ) {
    const due = Math.min(events, Math.ceil(((performance.now() - startedAt) / 1000) * perSecond));
    for (; sent < due; sent += 1) publishing.push(subject.publish(`u${sent % 1000}`, payload()));
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
  }
  await Promise.all(publishing);
  return events;
};

exports.measure = ({ scenario, subject: perSecond, size }) =>
  withRedis(async (redis) => {
    const wish = { scenarioName: scenario.name, subject: 'ssekify-lossless', options: { redis: redis.url } };
    const publisher = await openServer(wish);
    const follower = await openServer(wish);
    try {
      await publisher.run({ perSecond: 500, ms: size.ms / 4 });
      const entriesBefore = (await follower.server.call('stats')).log.entriesRead;
      const [cpuBefore, startedAt] = [await follower.server.call('cpu'), performance.now()];
      const events = await publisher.run({ perSecond: Number(perSecond), ms: size.ms });
      const cpu = (await follower.server.call('cpu')) - cpuBefore;
      const seconds = (performance.now() - startedAt) / 1000;
      const read = (await follower.server.call('stats')).log.entriesRead - entriesBefore;
      // The last few may still be on their way.
      if (read < events * 0.9) throw Object.assign(new Error(`read ${read} of ${events} events`), { lost: true });
      return {
        cpu: cpu / 1000 / seconds,
        perEvent: events === 0 ? undefined : cpu / events,
        rate: events / seconds,
      };
    } finally {
      await Promise.all([publisher.close(), follower.close()]);
    }
  });
