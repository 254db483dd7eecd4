const { Controller } = require('egg');

/** Calls a method of `app.sse`, and answers with what came of it. */
module.exports = class SseController extends Controller {
  async call() {
    const { ctx } = this;
    const { method, args } = ctx.request.body;
    try {
      ctx.body = { result: (await ctx.app.sse[method](...args)) ?? null };
    } catch (error) {
      ctx.body = { code: error.code, message: error.message };
    }
  }

  /** Has the agent call a method of `agent.sse`. */
  async ask() {
    const { ctx } = this;
    ctx.app.messenger.sendToAgent('ask-agent', ctx.request.body);
    ctx.body = {};
  }

  /** To every worker, by way of Egg's own messenger. */
  async tell() {
    const { ctx } = this;
    ctx.app.messenger.sendToApp('news', ctx.request.body);
    ctx.body = {};
  }

  /** Throws where nobody catches it. */
  async crash() {
    this.ctx.body = {};
    setImmediate(() => {
      throw new Error('a crash');
    });
  }
};
