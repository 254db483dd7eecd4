/**
 * The entry service without Redis: it holds the connections, asks the business service (cross-callback-b.js) for work, and
 * is called back with the result. That does for one instance; with more of them the result must find the right one.
 */
const { randomUUID } = require('node:crypto');
const { createHub, eventIn, openStream, serve } = require('./app');
const { serviceUrl } = require('./config');
const { jobIn, post } = require('./jobs');

const sse = createHub({ redis: undefined });
const business = serviceUrl('BUSINESS_URL', 'http://localhost:4005');

serve({
  name: 'ssekify entry service',
  ownPort: 3005,
  addRoutes(app) {
    app.get('/sse', (req, res) => openStream(sse, req, res));
    app.post('/start', async (req, res) => {
      const job = { ...jobIn(req), requestId: randomUUID() };
      await post(`${business}/process`, job);
      res.status(202).json({ requestId: job.requestId });
    });
    // For the business service alone: whoever reaches this route can send to every user.
    app.post('/fanout', (req, res) => {
      const { userId, event, data } = eventIn(req);
      res.json({ reached: sse.sendToUser(userId, data, { event }) });
    });
    app.get('/stats', (_req, res) => res.json(sse.stats()));
  },
  stop: () => sse.shutdown(),
});
