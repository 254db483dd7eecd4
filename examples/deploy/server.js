/** A server as it runs behind a proxy: it says whether it lives and whether it wants clients, and it leaves in order. */
const { createHub, hubRoutes, serve } = require('../express/app');
const { number } = require('../express/config');

const sse = createHub();
const graceMs = number('GRACE_MS', 10_000);
let isSubscribed = false;
sse.ready().then(
  () => {
    isSubscribed = true;
  },
  // It was told to end before Redis was there.
  () => undefined,
);

// From here on clients that come are told to come back, and whoever asks for readiness to send them elsewhere. Streams go on.
process.on('SIGUSR2', () => {
  console.log('draining');
  sse.stopAccepting();
});

serve({
  name: 'ssekify',
  ownPort: 3000,
  addRoutes(app) {
    app.get('/healthz', (_req, res) => res.json({ status: 'ok' }));
    app.get('/readyz', (_req, res) => {
      const { draining, connections, bus } = sse.stats();
      // Redis going away later is no reason: all instances would be taken out at once, and their streams with them.
      const isReady = isSubscribed && !draining;
      res
        .status(isReady ? 200 : 503)
        .json({ status: isReady ? 'ready' : 'not ready', draining, connections, bus: bus.state });
    });
    app.use(hubRoutes(() => sse));
  },
  stop: () => sse.shutdown({ graceMs }),
});
