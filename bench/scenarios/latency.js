const { pace } = require('../harness/pace.js');
const { payload } = require('../harness/payload.js');
const { withSession } = require('../harness/session.js');

exports.title = 'From send to arrival at 20 broadcasts a second to 1,000 connections';
exports.metrics = [
  { key: 'p50', title: 'p50', unit: 'ms' },
  { key: 'p99', title: 'p99', unit: 'ms', bars: [{ against: 'res.write', atMost: 1.1 }] },
];
exports.sizes = {
  full: { connections: 1000, perSecond: 20, warmUp: 30, events: 100 },
  quick: { connections: 1000, perSecond: 20, warmUp: 20, events: 30 },
  smoke: { connections: 20, perSecond: 100, warmUp: 2, events: 5 },
};

exports.onServer = ({ subject }, { perSecond, warmUp, events }) =>
  pace(() => subject.broadcast(payload()), { perSecond, events: warmUp + events });

exports.measure = ({ scenario, subject, size }) =>
  withSession({ scenarioName: scenario.name, subject, connections: size.connections }, async (session) => {
    const events = size.warmUp + size.events;
    await session.clients.call('record', { events });
    const sentAt = await session.run(size);
    await session.check(events, size.connections);
    const { p50, p99 } = await session.clients.call('latency', { sentAt, skip: size.warmUp });
    return { p50, p99 };
  });
