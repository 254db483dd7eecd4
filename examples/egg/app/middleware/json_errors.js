const { answerTo, problem } = require('../../../hub');

/** Answers every error as the other examples do: `{ error, code? }`. */
module.exports = () => async (ctx, next) => {
  try {
    await next();
    if (ctx.respond !== false && ctx.status === 404) throw problem(404, 'no such route');
  } catch (error) {
    const { status, body } = answerTo(error);
    ctx.status = status;
    ctx.body = body;
  }
};
