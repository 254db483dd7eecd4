const EventsController = require('../../../egg/app/controller/events');
const { healthOf } = require('../../../express/bridge');

module.exports = class BridgeController extends EventsController {
  async health() {
    const { app, ctx } = this;
    const { status, body } = healthOf(app.bridge);
    ctx.status = status;
    ctx.body = body;
  }
};
