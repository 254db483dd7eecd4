const { setTimeout: wait } = require('node:timers/promises');
const { openServer } = require('../harness/session.js');

exports.title = 'Heap of an idle connection';
exports.metrics = [
  { key: 'heap', title: 'heap per connection', unit: 'KiB', bars: [{ against: 'res.write', atMost: 1.12 }] },
  { key: 'rss', title: 'resident memory per connection', unit: 'KiB' },
];
exports.rounds = 3;
exports.sizes = {
  full: { connections: 2000, settleMs: 500 },
  quick: { connections: 2000, settleMs: 100 },
  smoke: { connections: 20, settleMs: 10 },
};

/** What lives, after garbage was collected until nothing more went. */
exports.onServer = async (_context, { settleMs }) => {
  await wait(settleMs);
  let heap = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 8; round += 1) {
    globalThis.gc();
    await wait(10);
    heap = Math.min(heap, process.memoryUsage().heapUsed);
  }
  return { heap, rss: process.memoryUsage.rss() };
};

exports.measure = async ({ scenario, subject, size }) => {
  const session = await openServer({ scenarioName: scenario.name, subject, execArgv: ['--expose-gc'] });
  try {
    // What is allocated once, with the first connections, is not theirs.
    const first = Math.ceil(size.connections / 20);
    await session.connect(first);
    const before = await session.run(size);
    await session.connect(size.connections, { first });
    const after = await session.run(size);
    await session.check(0, first + size.connections);
    const each = (key) => (after[key] - before[key]) / size.connections / 1024;
    return { heap: each('heap'), rss: each('rss') };
  } finally {
    await session.close();
  }
};
