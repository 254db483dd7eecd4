/** An AI chat: a model's words go to the user who asked, as they come, until all is said or nobody is there to read. */
const { randomUUID } = require('node:crypto');
const path = require('node:path');
const { setTimeout: wait } = require('node:timers/promises');
const { bodyOf, createHub, openStream, problem, serve } = require('./app');
const { number } = require('./config');

// One name for all: a client tells its requests apart by their ids, and hears that the stream lives.
const EVENT = 'notify';
const sse = createHub({ keepAliveEvent: { event: EVENT, data: { event: 'ping' } } });

const wordMs = number('WORD_MS', 60);
const goneAfterMs = number('GONE_AFTER_MS');

/** Tasks that go on, by request id. */
const tasks = new Map();

/** Stands for a model: it repeats what it was told word by word, and fails when it is told to. */
async function* model(prompt, { signal }) {
  for (const word of `You said: ${prompt}`.split(/(?<= )/)) {
    await wait(wordMs, undefined, { signal });
    if (word === 'fail') throw Object.assign(new Error('the model is out of words'), { code: 'MODEL_FAILED' });
    yield word;
  }
}

/** The question in a body: `{ userId, prompt, requestId? }`. */
function questionIn(req) {
  const { userId, prompt, requestId = randomUUID() } = bodyOf(req);
  if (typeof prompt !== 'string') throw problem(400, 'prompt is missing: expected a string');
  if (tasks.has(requestId)) throw problem(409, 'requestId is in use');
  return { userId, prompt, requestId };
}

serve({
  name: 'ssekify chat',
  ownPort: 3025,
  addRoutes(app) {
    app.get('/', (_req, res) => res.sendFile(path.join(__dirname, 'public/ai-chat.html')));
    app.get('/sse', (req, res) => openStream(sse, req, res));
    app.post('/chat', (req, res) => {
      const { userId, prompt, requestId } = questionIn(req);
      const task = sse.task(userId, { requestId, event: EVENT, goneAfterMs });
      tasks.set(requestId, task);
      // It answers by the stream; what goes wrong there is told there.
      task.pipe(model(prompt, task), { type: 'word' }).finally(() => tasks.delete(requestId));
      res.status(202).json({ requestId });
    });
    app.delete('/chat/:requestId', async (req, res) => {
      const task = tasks.get(req.params.requestId);
      if (task === undefined) throw problem(404, 'no such request');
      await task.error({ message: 'stopped', code: 'STOPPED' });
      res.status(204).end();
    });
    app.get('/stats', (_req, res) => res.json({ ...sse.stats(), tasks: tasks.size }));
  },
  stop: () => sse.shutdown(),
});
