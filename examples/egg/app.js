const { createHub } = require('../hub');

/** Makes the hub of a worker, `app.sse`, and ends it with the worker. */
module.exports = class Boot {
  constructor(app) {
    this.app = app;
  }

  configWillLoad() {
    // Around the parser of bodies, so that what it refuses is answered alike.
    const { coreMiddleware } = this.app.config;
    coreMiddleware.splice(coreMiddleware.indexOf('bodyParser'), 0, 'jsonErrors');
  }

  createHub() {
    return createHub();
  }

  async didLoad() {
    this.app.sse = this.createHub();
    // Egg listens for one SIGTERM, its master's. A terminal, and whoever signals a whole group, reaches the worker too;
    // a second signal must not cut short what the first has begun.
    for (const signal of ['SIGTERM', 'SIGINT']) process.on(signal, () => undefined);
  }

  async beforeClose() {
    // Egg's master ends a worker that takes 5 s.
    await this.app.sse.shutdown({ graceMs: 4000 });
  }
};
