const broadcast = require('./broadcast.js');
const { METRIC, cpuPerDelivery, loopSizes } = require('../harness/throughput.js');

exports.title = 'Broadcast over TLS to 500 connections';
exports.protocol = 'https';
exports.metrics = [METRIC];
exports.sizes = loopSizes(500);
exports.onServer = broadcast.onServer;
exports.measure = (task) => cpuPerDelivery({ ...task, session: { protocol: 'https' } });
