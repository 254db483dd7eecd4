/**
 * The entry service: it holds the connections and asks the business service (cross-redis-b.js) for work. The result
 * comes to the client by way of Redis, whichever instance of this service it is connected to.
 */
const { randomUUID } = require('node:crypto');
const { createHub, openStream, serve } = require('./app');
const { serviceUrl, text } = require('./config');
const { jobIn, post } = require('./jobs');

const sse = createHub({ redis: text('REDIS_URL', 'redis://localhost:6379') });
const business = serviceUrl('BUSINESS_URL', 'http://localhost:4004');

serve({
  name: 'ssekify entry service',
  ownPort: 3004,
  addRoutes(app) {
    app.get('/sse', (req, res) => openStream(sse, req, res));
    app.post('/start', async (req, res) => {
      const job = { ...jobIn(req), requestId: randomUUID() };
      await post(`${business}/process`, job);
      res.status(202).json({ requestId: job.requestId });
    });
    app.get('/stats', (_req, res) => res.json(sse.stats()));
  },
  stop: () => sse.shutdown(),
});
