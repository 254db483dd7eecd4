const broadcast = require('./broadcast.js');
const heap = require('./heap.js');
const { cpuPerDelivery } = require('../harness/throughput.js');

exports.title = 'Scale: connections of one instance, beside the bare loop';
exports.subjects = ['100', '1000', '2000', '4000', '8000', '100 socket', '1000 socket', '8000 socket'];
exports.smokeSubjects = ['1000'];
exports.baselines = ['100', '100 socket'];
exports.metrics = [
  { key: 'cpu', title: 'broadcast, server CPU per delivery', unit: 'µs' },
  { key: 'heap', title: 'heap per connection', unit: 'KiB' },
];
exports.rounds = 2;
exports.sizes = {
  full: { warmUpMs: 700, ms: 1500, settleMs: 300, factor: 1 },
  quick: { warmUpMs: 300, ms: 500, settleMs: 100, factor: 1 },
  smoke: { warmUpMs: 0, ms: 1, maxRounds: 3, settleMs: 0, factor: 0.01 },
};

exports.onServer = (context, size) => (size.heap ? heap.onServer(context, size) : broadcast.onServer(context, size));

exports.measure = async ({ scenario, subject: row, size: { factor, ...size } }) => {
  const [count, subject = 'ssekify'] = row.split(' ');
  const task = { scenario, subject, size: { ...size, connections: Math.ceil(Number(count) * factor) } };
  const { cpu } = await cpuPerDelivery(task);
  const memory = await heap.measure({ ...task, size: { ...task.size, heap: true } });
  return { cpu, heap: memory.heap };
};
