const { setTimeout: wait } = require('node:timers/promises');
const { withSession } = require('../harness/session.js');

exports.title = 'Idle: 8,000 connections with the heartbeats that are due in the window';
exports.metrics = [{ key: 'cpu', title: 'server CPU per second', unit: 'ms' }];
exports.rounds = 1;
exports.sizes = {
  full: { connections: 8000, settleMs: 1000, ms: 30_000 },
  quick: { connections: 8000, settleMs: 500, ms: 16_000 },
  smoke: { connections: 20, settleMs: 0, ms: 50 },
};

exports.onServer = async (context, { settleMs, ms }) => {
  await wait(settleMs);
  const before = context.cpu();
  await wait(ms);
  return (context.cpu() - before) / ms;
};

exports.measure = ({ scenario, subject, size }) =>
  withSession({ scenarioName: scenario.name, subject, connections: size.connections }, async ({ run, check }) => {
    const cpu = await run(size);
    await check(0, size.connections);
    return { cpu };
  });
