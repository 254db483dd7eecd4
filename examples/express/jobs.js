/** What entry and business services have in common: the job that one asks the other for. */
const { randomUUID } = require('node:crypto');
const { setTimeout: wait } = require('node:timers/promises');
const { number } = require('./config');
const { bodyOf, openStream, problem, userIdIn } = require('./app');

/** The job in a body: `{ userId, text, requestId? }`. */
function jobIn(req) {
  const userId = userIdIn(req);
  const { text, requestId } = bodyOf(req);
  if (typeof text !== 'string') throw problem(400, 'text is missing: expected a string');
  return { userId, text, requestId };
}
exports.jobIn = jobIn;

/** The routes of an entry service: streams, and a job for the business service, answered before it is done. */
exports.addEntryRoutes = (app, sse, business) => {
  app.get('/sse', (req, res) => openStream(sse, req, res));
  app.post('/start', async (req, res) => {
    const job = { ...jobIn(req), requestId: randomUUID() };
    await post(`${business}/process`, job);
    res.status(202).json({ requestId: job.requestId });
  });
  app.get('/stats', (_req, res) => res.json(sse.stats()));
};

/** Asks another service; what it refuses is told to the one who asked here. */
async function post(url, value) {
  const answer = await fetch(url, {
    method: 'POST',
    headers: { 'Content-Type': 'application/json' },
    body: JSON.stringify(value),
    signal: AbortSignal.timeout(5000),
  }).catch((cause) => {
    throw problem(502, `${url} cannot be reached: ${cause.cause?.message ?? cause.message}`);
  });
  const body = await answer.json().catch(() => ({}));
  if (!answer.ok) throw problem(502, `${url} answered ${answer.status}: ${body.error ?? 'no reason'}`);
  return body;
}
exports.post = post;

const jobMs = number('JOB_MS', 1000);
const running = new Set();

/** Does the work, which takes its time, and tells the result. */
exports.begin = ({ requestId, text }, tell) => {
  const done = wait(jobMs)
    .then(() => tell({ requestId, phase: 'done', result: text.toUpperCase() }))
    .catch((error) => console.error(`job ${requestId}: ${error.message}`))
    .finally(() => running.delete(done));
  running.add(done);
};

/** Resolves when no job is running any more. */
exports.allDone = () => Promise.all(running);
