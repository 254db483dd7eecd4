const { payload } = require('../harness/payload.js');
const { METRIC, cpuPerDelivery, loopOf, loopSizes } = require('../harness/throughput.js');

exports.title = 'Unicast: an event of its own to each of 1,000 users';
exports.metrics = [{ ...METRIC, bars: [{ against: 'socket', atMost: 1.25 }] }];
// Two processes of the same code differ by a tenth and more: with five rounds the median would, too.
exports.rounds = 15;
exports.sizes = loopSizes(1000);
exports.onServer = loopOf((subject, { connections }) => {
  for (let user = 0; user < connections; user += 1) subject.toUser(`u${user}`, payload());
});
exports.measure = cpuPerDelivery;
