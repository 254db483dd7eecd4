const { Controller } = require('egg');
const { eventIn, namesIn, only } = require('../../../hub');
const { bodyOf } = require('../../../koa/json');

module.exports = class EventsController extends Controller {
  // A demo believes what the URL says. Your application takes the user from its session, and decides who may join a room.
  async stream() {
    const { app, ctx } = this;
    app.sse.registerConnection(only(new URLSearchParams(ctx.querystring).getAll('userId')), ctx.res, {
      rooms: namesIn(ctx.query.rooms),
    });
    // The response is the hub's from now on. Should the line above throw, Egg still answers.
    ctx.respond = false;
  }

  async notify() {
    const { app, ctx } = this;
    ctx.body = { reached: app.sse.sendToUser(ctx.params.userId, ...eventIn(bodyOf(ctx))) };
  }

  async broadcast() {
    const { app, ctx } = this;
    ctx.body = { reached: app.sse.sendToAll(...eventIn(bodyOf(ctx))) };
  }

  async room() {
    const { app, ctx } = this;
    ctx.body = { reached: app.sse.sendToRoom(ctx.params.room, ...eventIn(bodyOf(ctx))) };
  }

  // As room(), but to every worker and instance on the channel. Without Redis that is this one.
  async publishRoom() {
    const { app, ctx } = this;
    ctx.body = await app.sse.publishToRoom(ctx.params.room, ...eventIn(bodyOf(ctx)));
  }

  async close() {
    const { app, ctx } = this;
    ctx.body = { closed: app.sse.close(ctx.params.userId) };
  }

  async stats() {
    const { app, ctx } = this;
    ctx.body = app.sse.stats();
  }
};
