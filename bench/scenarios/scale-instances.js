const { inFlight } = require('../harness/in-flight.js');
const { payload } = require('../harness/payload.js');
const { withRedis } = require('../harness/redis.js');
const { openServer } = require('../harness/session.js');

exports.title = 'Scale: instances on one Redis, 800 users spread over them, events published to one user each';
exports.subjects = ['1', '2', '4', '8'];
exports.smokeSubjects = ['2'];
exports.baselines = ['1'];
exports.needsRedis = true;
exports.metrics = [
  { key: 'perSecond', title: 'publishes per second', unit: '1/s' },
  { key: 'receiverCpu', title: 'CPU per envelope of the other instances', unit: 'µs' },
  { key: 'totalCpu', title: 'CPU per envelope of all instances together', unit: 'µs' },
  { key: 'redisCpu', title: 'CPU of redis-server per envelope', unit: 'µs' },
];
exports.rounds = 2;
exports.sizes = {
  full: { users: 800, warmUp: 4000, times: 16_000, atOnce: 64 },
  quick: { users: 800, warmUp: 1600, times: 4000, atOnce: 64 },
  smoke: { users: 16, warmUp: 16, times: 64, atOnce: 16 },
};

exports.onServer = ({ subject }, { users, times, atOnce }) =>
  inFlight((index) => subject.publish(`u${index % users}`, payload()), { times, atOnce });

exports.measure = ({ scenario, subject, size }) =>
  withRedis(async (redis) => {
    const each = size.users / Number(subject);
    const wish = { scenarioName: scenario.name, subject: 'ssekify', options: { redis: redis.url } };
    const instances = [];
    try {
      for (let index = 0; index < Number(subject); index += 1) {
        const instance = await openServer(wish);
        instances.push(instance);
        await instance.connect(each, { first: index * each });
      }
      const [publisher] = instances;
      const all = (total) => Promise.all(instances.map(({ check }) => check(total / size.users, each)));
      const cpus = () => Promise.all(instances.map(({ server }) => server.call('cpu')));
      await publisher.run({ ...size, times: size.warmUp });
      await all(size.warmUp);
      const [before, redisBefore] = [await cpus(), await redis.cpu()];
      const ms = await publisher.run(size);
      await all(size.warmUp + size.times);
      const [after, redisAfter] = [await cpus(), await redis.cpu()];
      const used = after.map((cpu, index) => (cpu - before[index]) / size.times);
      const total = used.reduce((sum, cpu) => sum + cpu, 0);
      const [own] = used;
      return {
        perSecond: (size.times / ms) * 1000,
        receiverCpu: used.length > 1 ? (total - own) / (used.length - 1) : undefined,
        totalCpu: total,
        redisCpu: (redisAfter - redisBefore) / size.times,
      };
    } finally {
      await Promise.all(instances.map(({ close }) => close()));
    }
  });
