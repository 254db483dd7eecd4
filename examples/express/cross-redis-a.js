/**
 * The entry service: it holds the connections and asks the business service (cross-redis-b.js) for work. The result
 * comes to the client by way of Redis, whichever instance of this service it is connected to.
 */
const { createHub, serve } = require('./app');
const { serviceUrl, text } = require('./config');
const { addEntryRoutes } = require('./jobs');

const sse = createHub({ redis: text('REDIS_URL', 'redis://localhost:6379') });

serve({
  name: 'ssekify entry service',
  ownPort: 3004,
  addRoutes: (app) => addEntryRoutes(app, sse, serviceUrl('BUSINESS_URL', 'http://localhost:4004')),
  stop: () => sse.shutdown(),
});
