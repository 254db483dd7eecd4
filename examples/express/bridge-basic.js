/** A bridge that is connected to its upstream from start to end, and passes on what comes. */
const { serve } = require('./app');
const { addBridgeRoutes, createBridge } = require('./bridge');

const bridge = createBridge();
bridge.upstream.open();

serve({
  name: 'ssekify bridge',
  ownPort: 3006,
  addRoutes: (app) => addBridgeRoutes(app, bridge),
  stop() {
    bridge.upstream.close();
    return bridge.sse.shutdown();
  },
});
