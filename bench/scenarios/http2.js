const broadcast = require('./broadcast.js');
const { METRIC, cpuPerDelivery, loopSizes } = require('../harness/throughput.js');

exports.title = 'Broadcast over HTTP/2 to 500 sessions of one stream';
exports.protocol = 'http2';
exports.metrics = [METRIC];
exports.sizes = loopSizes(500);
exports.onServer = broadcast.onServer;
exports.measure = (task) => cpuPerDelivery({ ...task, session: { protocol: 'http2' } });
