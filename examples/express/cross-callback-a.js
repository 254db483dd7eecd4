/**
 * The entry service without Redis: it holds the connections, asks the business service (cross-callback-b.js) for work, and
 * is called back with the result. That does for one instance; with more of them the result must find the right one.
 */
const { createHub, eventIn, serve } = require('./app');
const { serviceUrl } = require('./config');
const { addEntryRoutes } = require('./jobs');

const sse = createHub({ redis: undefined });

serve({
  name: 'ssekify entry service',
  ownPort: 3005,
  addRoutes(app) {
    addEntryRoutes(app, sse, serviceUrl('BUSINESS_URL', 'http://localhost:4005'));
    // For the business service alone: whoever reaches this route can send to every user.
    app.post('/fanout', (req, res) => {
      const { userId, event, data } = eventIn(req);
      res.json({ reached: sse.sendToUser(userId, data, { event }) });
    });
  },
  stop: () => sse.shutdown(),
});
