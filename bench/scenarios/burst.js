const { payload } = require('../harness/payload.js');
const { METRIC, cpuPerDelivery, loopOf, loopSizes } = require('../harness/throughput.js');

const EVENTS = 10;

exports.title = `Burst: ${EVENTS} broadcasts in one tick to 1,000 connections`;
exports.metrics = [{ ...METRIC, bars: [{ against: 'res.write', atMost: 0.4 }] }];
/** A bare loop that joins the frames: what a burst costs at least. */
exports.floors = ['joined'];
exports.baselines = ['joined', 'res.write'];
exports.sizes = loopSizes(1000);
exports.onServer = loopOf((subject) => {
  for (let event = 0; event < EVENTS; event += 1) subject.broadcast(payload());
});
exports.measure = (task) => cpuPerDelivery({ ...task, perRound: EVENTS });
