const { payload } = require('../harness/payload.js');
const { METRIC, cpuPerDelivery, loopOf, loopSizes } = require('../harness/throughput.js');

exports.title = 'Broadcast to 1,000 connections';
exports.metrics = [
  {
    ...METRIC,
    bars: [
      { against: 'socket', atMost: 1.1 },
      { against: 'res.write', atMost: 0.82 },
    ],
  },
];
// Two processes of the same code differ by a tenth and more: with five rounds the median would, too.
exports.rounds = 15;
exports.sizes = loopSizes(1000);
exports.onServer = loopOf((subject) => subject.broadcast(payload()));
exports.measure = cpuPerDelivery;
