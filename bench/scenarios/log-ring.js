const { withRedis } = require('../harness/redis.js');
const { openServer } = require('../harness/session.js');

exports.title = 'Lossless mode: memory of a ring that is full, with events of 64 KB; 256 MiB by default';
exports.subjects = ['32 MiB', '256 MiB'];
exports.smokeSubjects = ['1 MiB'];
exports.baselines = [];
exports.needsRedis = true;
exports.metrics = [
  { key: 'ring', title: 'bytes it counts', unit: 'MiB' },
  { key: 'heap', title: 'heap it uses', unit: 'MiB' },
  { key: 'items', title: 'events in it', unit: '' },
];
exports.rounds = 1;
exports.sizes = { full: { fillings: 1.5 }, quick: { fillings: 1.2 }, smoke: { fillings: 1.2 } };

const EVENT_BYTES = 64 * 1024;

exports.onServer = async ({ subject }, { bytes }) => {
  globalThis.gc();
  const before = process.memoryUsage().heapUsed;
  const text = 'x'.repeat(EVENT_BYTES);
  for (let sent = 0; sent < bytes; sent += EVENT_BYTES) await subject.publish('u0', { sent, text });
  globalThis.gc();
  const { ringBytes, ringItems } = subject.stats().log;
  const mebi = 1024 * 1024;
  return {
    ring: ringBytes / mebi,
    heap: (process.memoryUsage().heapUsed - before) / mebi,
    items: ringItems,
  };
};

exports.measure = ({ scenario, subject, size }) =>
  withRedis(async (redis) => {
    const ringMaxBytes = Number.parseInt(subject, 10) * 1024 * 1024;
    const options = { redis: redis.url, log: { ringMaxBytes } };
    const wish = { scenarioName: scenario.name, subject: 'ssekify-lossless', options, execArgv: ['--expose-gc'] };
    const session = await openServer(wish);
    try {
      return await session.run({ bytes: ringMaxBytes * size.fillings });
    } finally {
      await session.close();
    }
  });
