const { payload } = require('../harness/payload.js');
const { METRIC, cpuPerDelivery, loopOf, loopSizes } = require('../harness/throughput.js');

const ROOMS = 10;

exports.title = `Rooms: an event to each of ${ROOMS} rooms, 1,000 connections in all`;
exports.metrics = [METRIC];
exports.sizes = loopSizes(1000);
exports.onServer = loopOf((subject) => {
  for (let room = 0; room < ROOMS; room += 1) subject.toRoom(`r${room}`, payload());
});
exports.measure = (task) => cpuPerDelivery({ ...task, session: { rooms: ROOMS } });
