const { setTimeout: wait } = require('node:timers/promises');
const { closedLoop } = require('../harness/closed-loop.js');
const { watchEventLoop } = require('../harness/event-loop.js');
const { payload } = require('../harness/payload.js');
const { withSession } = require('../harness/session.js');

exports.title = 'Event loop held by one broadcast, and by a round of heartbeats, to 5,000 connections';
exports.metrics = [
  { key: 'gap', title: 'broadcast, longest gap', unit: 'ms', bars: [{ atMost: 15 }] },
  { key: 'cpu', title: 'broadcast, most CPU in one turn', unit: 'ms', bars: [{ atMost: 15 }] },
  { key: 'delay', title: 'broadcast, monitorEventLoopDelay max', unit: 'ms' },
  { key: 'heartbeatGap', title: 'heartbeats, longest gap', unit: 'ms', bars: [{ atMost: 15 }] },
  { key: 'heartbeatCpu', title: 'heartbeats, most CPU in one turn', unit: 'ms', bars: [{ atMost: 15 }] },
];
exports.rounds = 3;
exports.sizes = {
  full: { connections: 5000, broadcasts: 8, heartbeatsMs: 16_000 },
  quick: { connections: 5000, broadcasts: 4, heartbeatsMs: 0 },
  smoke: { connections: 20, broadcasts: 2, heartbeatsMs: 10 },
};

exports.onServer = async (context, { broadcasts, heartbeatsMs }) => {
  const warmUp = 3;
  const round = { warmUpMs: 0, ms: 0, maxRounds: 1 };
  const send = () => context.subject.broadcast(payload());
  for (let each = 0; each < warmUp; each += 1) await closedLoop(context, send, round);
  await wait(100);
  const stop = watchEventLoop();
  for (let each = 0; each < broadcasts; each += 1) {
    await closedLoop(context, send, round);
    await wait(20);
  }
  const { gap, cpu, delay } = stop();
  const stopAgain = watchEventLoop();
  await wait(heartbeatsMs);
  const heartbeats = stopAgain();
  const figures = { gap, cpu, delay };
  if (heartbeatsMs > 0) Object.assign(figures, { heartbeatGap: heartbeats.gap, heartbeatCpu: heartbeats.cpu });
  return { rounds: warmUp + broadcasts, figures };
};

exports.measure = ({ scenario, subject, size }) =>
  withSession(
    { scenarioName: scenario.name, subject, connections: size.connections, perRound: 1 },
    async ({ run, check }) => {
      const { rounds, figures } = await run(size);
      await check(rounds, size.connections);
      return figures;
    },
  );
