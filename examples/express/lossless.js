/**
 * Lossless mode: kill this process (`kill -9`) while its page is open, start it again, and the page has missed no number. Start a
 * second one on another PORT to go on counting meanwhile.
 */
const { randomUUID } = require('node:crypto');
const path = require('node:path');
const { setTimeout: wait } = require('node:timers/promises');
const { createRedisStreamAdapter } = require('ssekify');
const { bodyOf, createHub, openStream, problem, serve } = require('./app');
const { text } = require('./config');

const sse = createHub({ redis: createRedisStreamAdapter(text('REDIS_URL', 'redis://localhost:6379')) });

const MAX_TIMES = 100_000;
const AGAIN_MS = 200;

/** Publishes the next numbers, one after the other. */
async function count(run, times, everyMs) {
  for (let n = 0; n < times; n += 1) {
    await publishNext(`${run}-${n}`);
    if (everyMs > 0) await wait(everyMs);
  }
}

/** Publishes the next number, and tries until the log has it: with a key that is safe, whatever became of the tries before. */
async function publishNext(key) {
  for (;;) {
    try {
      // The number is the event's seq, which Redis counts: all instances, and all that come after them, count on.
      return await sse.publishToAll({ streamId: 'counter' }, { event: 'count', key });
    } catch (error) {
      if (error.outcome === undefined) throw error;
      await wait(AGAIN_MS);
    }
  }
}

/** A whole number of the body. */
function integerIn(body, name, least, most) {
  const value = body[name] ?? least;
  if (Number.isInteger(value) && value >= least && value <= most) return value;
  throw problem(400, `${name} is no whole number from ${least} to ${most}`);
}

function addRoutes(app) {
  app.get('/', (_req, res) => res.sendFile(path.join(__dirname, 'public/lossless.html')));
  app.get('/sse', (req, res) => openStream(sse, req, res));
  app.post('/count', (req, res) => {
    const body = bodyOf(req);
    const times = integerIn(body, 'times', 1, MAX_TIMES);
    const everyMs = integerIn(body, 'everyMs', 0, 60_000);
    const run = randomUUID();
    count(run, times, everyMs).catch((error) => console.error(`counting ended: ${error.message}`));
    res.status(202).json({ run });
  });
  app.get('/stats', (_req, res) => res.json(sse.stats()));
}

serve({ name: 'ssekify, lossless', ownPort: 3008, addRoutes, stop: () => sse.shutdown() });
