const { sharedNow } = require('../harness/clock.js');
const { payload } = require('../harness/payload.js');
const { withRedis } = require('../harness/redis.js');
const { withSession } = require('../harness/session.js');

exports.title = "From the call to the instance's own client: sendToUser, and publish by way of Redis";
exports.subjects = ['sendToUser', 'publish'];
exports.smokeSubjects = ['publish'];
exports.baselines = ['sendToUser'];
exports.needsRedis = true;
exports.metrics = [
  { key: 'p50', title: 'p50', unit: 'ms' },
  { key: 'p99', title: 'p99', unit: 'ms' },
];
exports.rounds = 3;
exports.sizes = {
  full: { warmUp: 500, events: 2000 },
  quick: { warmUp: 200, events: 500 },
  smoke: { warmUp: 2, events: 10 },
};

/** One after the other, each when the client has got the last. */
exports.onServer = (context, { method, warmUp, events }) =>
  new Promise((resolve, reject) => {
    const sentAt = [];
    const next = () => {
      if (sentAt.length === warmUp + events) {
        resolve(sentAt);
        return;
      }
      sentAt.push(sharedNow());
      if (method === 'publish') context.subject.publish('u0', payload()).catch(reject);
      else context.subject.toUser('u0', payload());
    };
    context.onRound = next;
    next();
  });

exports.measure = ({ scenario, subject: method, size }) =>
  withRedis((redis) => {
    const options = { redis: redis.url };
    const wish = { scenarioName: scenario.name, subject: 'ssekify', connections: 1, perRound: 1, options };
    return withSession(wish, async ({ run, clients, check }) => {
      const events = size.warmUp + size.events;
      await clients.call('record', { events });
      const sentAt = await run({ ...size, method });
      await check(events, 1);
      const { p50, p99 } = await clients.call('latency', { sentAt, skip: size.warmUp });
      return { p50, p99 };
    });
  });
