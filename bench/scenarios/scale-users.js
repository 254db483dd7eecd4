const { openServer } = require('../harness/session.js');
const { payload } = require('../harness/payload.js');

exports.title = 'Scale: users that are remembered for replay, all offline (at most 10,000 by default)';
exports.subjects = ['1', '100', '10000', '100000', '100000 of 100000'];
exports.smokeSubjects = ['100'];
exports.baselines = ['1'];
exports.metrics = [
  { key: 'cpu', title: 'CPU per event', unit: 'µs' },
  { key: 'heap', title: 'heap of all buffers', unit: 'MiB' },
  { key: 'buffers', title: 'users remembered', unit: '' },
];
exports.rounds = 2;
exports.sizes = { full: { events: 400_000 }, quick: { events: 200_000 }, smoke: { events: 1000 } };

const EVENTS_PER_TICK = 100;

/** Sends to one user after the other, round and round. */
exports.onServer = async (context, { users, events }) => {
  const { subject } = context;
  globalThis.gc();
  const heapBefore = process.memoryUsage().heapUsed;
  const before = context.cpu();
  for (let event = 0; event < events; event += 1) {
    subject.toUser(`u${event % users}`, payload());
    if (event % EVENTS_PER_TICK === 0) await new Promise(setImmediate);
  }
  const cpu = (context.cpu() - before) / events;
  globalThis.gc();
  const heap = (process.memoryUsage().heapUsed - heapBefore) / 1024 / 1024;
  return { cpu, heap, buffers: subject.stats().recentBuffers };
};

exports.measure = async ({ scenario, subject, size }) => {
  const [users, remembered] = subject.split(' of ').map(Number);
  const options = remembered === undefined ? undefined : { recentMaxUsers: remembered };
  const wish = { scenarioName: scenario.name, subject: 'ssekify', options, execArgv: ['--expose-gc'] };
  const session = await openServer(wish);
  try {
    return await session.run({ ...size, users });
  } finally {
    await session.close();
  }
};
