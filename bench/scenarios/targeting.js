const { inFlight } = require('../harness/in-flight.js');
const { payload } = require('../harness/payload.js');
const { withRedis } = require('../harness/redis.js');
const { withSession } = require('../harness/session.js');

exports.title = 'Receiving an envelope for one of 1,000 users: the instance that holds them, and one that holds none';
exports.subjects = ['holder', 'non-holder'];
exports.baselines = ['holder'];
exports.needsRedis = true;
exports.metrics = [
  { key: 'cpu', title: 'CPU per envelope', unit: 'µs', on: 'non-holder', bars: [{ against: 'holder', atMost: 0.334 }] },
];
exports.rounds = 3;
exports.together = true;
exports.sizes = {
  full: { users: 1000, warmUp: 150_000, times: 60_000, atOnce: 64 },
  quick: { users: 1000, warmUp: 100_000, times: 20_000, atOnce: 64 },
  smoke: { users: 20, warmUp: 20, times: 100, atOnce: 16 },
};

exports.onServer = ({ subject }, { users, times, atOnce }) =>
  inFlight((index) => subject.publish(`u${index % users}`, payload()), { times, atOnce });

/** Both subjects in one go: they get the same envelopes. */
exports.measure = ({ scenario, size }) =>
  withRedis((redis) => {
    const wish = { scenarioName: scenario.name, subject: 'ssekify', options: { redis: redis.url } };
    return withSession({ ...wish, connections: 0 }, (publisher) =>
      withSession({ ...wish, connections: size.users }, (holder) =>
        withSession({ ...wish, connections: 0 }, async (nonHolder) => {
          const instances = [holder, nonHolder];
          const cpus = () => Promise.all(instances.map(({ server }) => server.call('cpu')));
          await publisher.run({ ...size, times: size.warmUp });
          await holder.check(size.warmUp / size.users, size.users);
          const before = await cpus();
          await publisher.run(size);
          await holder.check((size.warmUp + size.times) / size.users, size.users);
          const after = await cpus();
          const [held, notHeld] = after.map((cpu, index) => ({ cpu: (cpu - before[index]) / size.times }));
          return { holder: held, 'non-holder': notHeld };
        }),
      ),
    );
  });
