const { inFlight } = require('../harness/in-flight.js');
const { payload } = require('../harness/payload.js');
const { withRedis } = require('../harness/redis.js');
const { withSession } = require('../harness/session.js');

/** The hand-written publisher with a single publish under way, as in a loop that awaits each. */
const IN_TURN = 'hand-written-in-turn';

exports.title = 'Publishing over Redis with a number, one key per request, 64 under way';
exports.subjects = [IN_TURN, 'hand-written', 'hand-written-subscribed', 'ssekify'];
exports.smokeSubjects = ['hand-written-subscribed', 'ssekify'];
exports.baselines = [IN_TURN, 'hand-written', 'hand-written-subscribed'];
exports.needsRedis = true;
exports.metrics = [
  {
    key: 'perSecond',
    title: 'publishes per second',
    unit: '1/s',
    bars: [{ against: IN_TURN, atLeast: 2.5 }],
  },
  { key: 'cpu', title: 'CPU per publish, its own echo included', unit: 'µs' },
  { key: 'redisCpu', title: 'CPU of redis-server per publish', unit: 'µs' },
];
exports.sizes = {
  full: { warmUp: 40_000, times: 40_000, atOnce: 64 },
  quick: { warmUp: 20_000, times: 20_000, atOnce: 64 },
  smoke: { warmUp: 10, times: 100, atOnce: 16 },
};

let requests = 0;

exports.onServer = async (context, { times, atOnce }) => {
  const before = context.cpu();
  const ms = await inFlight(
    () => {
      requests += 1;
      return context.subject.publish(`u${requests % 1000}`, { requestId: `q${requests}`, ...payload() });
    },
    { times, atOnce },
  );
  return { ms, cpu: context.cpu() - before };
};

exports.measure = ({ scenario, subject: row, size: given }) =>
  withRedis((redis) => {
    const inTurn = row === IN_TURN;
    const subject = inTurn ? 'hand-written' : row;
    const size = inTurn ? { ...given, atOnce: 1 } : given;
    const session = { scenarioName: scenario.name, subject, connections: 0, options: { redis: redis.url } };
    return withSession(session, async ({ run }) => {
      await run({ ...size, times: size.warmUp });
      const redisBefore = await redis.cpu();
      const { ms, cpu } = await run(size);
      const redisCpu = (await redis.cpu()) - redisBefore;
      return { perSecond: (size.times / ms) * 1000, cpu: cpu / size.times, redisCpu: redisCpu / size.times };
    });
  });
