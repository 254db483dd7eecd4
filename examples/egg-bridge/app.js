const { createBridge } = require('../express/bridge');
const EggExample = require('../egg/app');

/** Makes the bridge of a worker, `app.bridge`, connects it to its upstream, and ends both with the worker. */
module.exports = class Boot extends EggExample {
  createHub() {
    this.app.bridge = createBridge();
    this.app.bridge.upstream.open();
    return this.app.bridge.sse;
  }

  async beforeClose() {
    this.app.bridge.upstream.close();
    await super.beforeClose();
  }
};
