/** A bridge that is connected to its upstream while somebody listens: from the first client to a while after the last. */
const path = require('node:path');
const { serve } = require('./app');
const { addBridgeRoutes, createBridge } = require('./bridge');
const { number } = require('./config');

const bridge = createBridge();
keepWhileNeeded(bridge, { idleGraceMs: number('BRIDGE_IDLE_GRACE_MS', 30_000) });

/** Opens the upstream for the first client, and closes it when for `idleGraceMs` there was none: most who leave come back. */
function keepWhileNeeded({ sse, upstream }, { idleGraceMs }) {
  let timer;
  sse.on('connect', () => {
    clearTimeout(timer);
    upstream.open();
  });
  sse.on('disconnect', () => {
    if (sse.stats().connections > 0) return;
    clearTimeout(timer);
    timer = setTimeout(() => {
      upstream.close();
      console.log('upstream: nobody listens; let go');
    }, idleGraceMs);
    timer.unref();
  });
}

serve({
  name: 'ssekify lazy bridge',
  ownPort: 3007,
  addRoutes(app) {
    app.get('/', (_req, res) => res.sendFile(path.join(__dirname, 'public/bridge.html')));
    addBridgeRoutes(app, bridge);
  },
  stop() {
    bridge.upstream.close();
    return bridge.sse.shutdown();
  },
});
