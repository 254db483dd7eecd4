/** The business service: it does the work and publishes the result. It holds no connections and knows of none. */
const { createHub, serve } = require('./app');
const { text } = require('./config');
const { allDone, begin, jobIn } = require('./jobs');

const sse = createHub({ redis: text('REDIS_URL', 'redis://localhost:6379') });

serve({
  name: 'ssekify business service',
  ownPort: 4004,
  addRoutes(app) {
    app.post('/process', (req, res) => {
      const job = jobIn(req);
      begin(job, (result) => sse.publishToUser(job.userId, result, { event: 'job:done' }));
      res.status(202).json({ requestId: job.requestId });
    });
    app.get('/stats', (_req, res) => res.json(sse.stats()));
  },
  async stop() {
    await allDone();
    await sse.shutdown();
  },
});
