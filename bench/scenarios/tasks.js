const { setImmediate: turn, setTimeout: wait } = require('node:timers/promises');
const { closedLoop } = require('../harness/closed-loop.js');
const { MARK } = require('../harness/payload.js');
const { withSession } = require('../harness/session.js');

exports.title = 'Tasks: 200 tokens to each of 1,000 users at the same time';
exports.subjects = ['res.write', 'ssekify'];
exports.metrics = [
  { key: 'cpu', title: 'server CPU per token', unit: 'µs', bars: [{ against: 'res.write', atMost: 1.5 }] },
  {
    key: 'growth',
    title: 'heap after the last round, beside that after the first',
    unit: 'MiB',
    bars: [{ atMost: 2 }],
  },
];
exports.rounds = 3;
exports.sizes = {
  full: { connections: 1000, tokens: 200, warmUpMs: 700, ms: 4000 },
  quick: { connections: 1000, tokens: 200, warmUpMs: 400, ms: 1500 },
  smoke: { connections: 20, tokens: 10, warmUpMs: 0, ms: 1, maxRounds: 3 },
};

/** Models that think together: each says one token in a turn of the event loop. */
let together;
function nextTurn() {
  together ??= turn().then(() => {
    together = undefined;
  });
  return together;
}

async function* model(tokens) {
  for (let token = 0; token < tokens; token += 1) {
    await nextTurn();
    yield ` word ${token}${MARK}`;
  }
}

/** The least that is in use, after garbage was collected until nothing more went. */
async function heapMiB() {
  let heap = Number.POSITIVE_INFINITY;
  for (let round = 0; round < 5; round += 1) {
    globalThis.gc();
    await wait(10);
    heap = Math.min(heap, process.memoryUsage().heapUsed);
  }
  return heap / 2 ** 20;
}

exports.onServer = async (context, { connections, tokens, ...size }) => {
  let requests = 0;
  const send = () => {
    requests += 1;
    for (let user = 0; user < connections; user += 1) {
      context.subject.stream(`u${user}`, `request-${requests}-${user}`, model(tokens));
    }
  };
  const loop = (how) => closedLoop(context, send, how);
  const first = await loop({ ...size, ms: 0, maxRounds: 1 });
  const before = await heapMiB();
  const { rounds, measuredRounds, cpu } = await loop({ ...size, warmUpMs: 0 });
  const growth = (await heapMiB()) - before;
  return { rounds: first.rounds + rounds, measuredRounds, cpu, growth };
};

exports.measure = ({ scenario, subject, size }) => {
  const { connections, tokens } = size;
  const session = { scenarioName: scenario.name, subject, connections, perRound: tokens, execArgv: ['--expose-gc'] };
  return withSession(session, async ({ run, check, server }) => {
    const { rounds, measuredRounds, cpu, growth } = await run(size);
    const { bytes } = await check(rounds * tokens, connections);
    const perToken = Math.round(bytes / (rounds * tokens * connections));
    const details = { bytesPerToken: perToken, stats: await server.call('stats') };
    return { cpu: cpu / (measuredRounds * tokens * connections), growth, details };
  });
};
