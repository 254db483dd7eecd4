const { Controller } = require('egg');
const { eventIn, namesIn, only } = require('../../../hub');

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
    ctx.body = { reached: app.sse.sendToUser(ctx.params.userId, ...eventIn(this.#body())) };
  }

  async broadcast() {
    const { app, ctx } = this;
    ctx.body = { reached: app.sse.sendToAll(...eventIn(this.#body())) };
  }

  async room() {
    const { app, ctx } = this;
    ctx.body = { reached: app.sse.sendToRoom(ctx.params.room, ...eventIn(this.#body())) };
  }

  // As room(), but to every worker and instance on the channel. Without Redis that is this one.
  async publishRoom() {
    const { app, ctx } = this;
    ctx.body = await app.sse.publishToRoom(ctx.params.room, ...eventIn(this.#body()));
  }

  async close() {
    const { app, ctx } = this;
    ctx.body = { closed: app.sse.close(ctx.params.userId) };
  }

  async stats() {
    const { app, ctx } = this;
    ctx.body = app.sse.stats();
  }

  /** The body as it was sent; Egg makes `{}` of what it does not read. */
  #body() {
    const { request } = this.ctx;
    return request.rawBody === undefined ? undefined : request.body;
  }
};
