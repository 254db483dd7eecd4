/** A hub whose counters Prometheus scrapes, next to those of the process. */
const { collectDefaultMetrics, Registry } = require('prom-client');
const { collectMetrics } = require('ssekify/prometheus');
const { hubRoutes, serve } = require('../express/app');
const { createHub } = require('../hub');

const registry = new Registry();
collectDefaultMetrics({ register: registry });

const sse = createHub();
const stopCollecting = collectMetrics(sse, { registry, labels: { hub: 'example' } });

serve({
  name: 'ssekify with Prometheus',
  ownPort: 3075,
  addRoutes(app) {
    // How busy you are is nobody else's business: yours answers Prometheus alone, on a port of its own for example.
    app.get('/metrics', async (_req, res) => {
      // Not res.type(), by which Express would write the header in its own way.
      res.set('Content-Type', registry.contentType).end(await registry.metrics());
    });
    app.use(hubRoutes(() => sse));
  },
  async stop() {
    await sse.shutdown();
    stopCollecting();
  },
});
