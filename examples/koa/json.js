/** JSON in and out, for Koa, and for Egg, which is built on it. */
const { answerTo, problem } = require('../hub');

/** Answers every error in JSON: `{ error, code? }`. */
exports.jsonErrors = async (ctx, next) => {
  try {
    await next();
    if (ctx.respond !== false && ctx.status === 404) throw problem(404, 'no such route');
  } catch (error) {
    const { status, body } = answerTo(error);
    ctx.status = status;
    ctx.body = body;
  }
};

/** The body as it was sent; the parser makes `{}` of what it does not read. */
exports.bodyOf = ({ request }) => (request.rawBody === undefined ? undefined : request.body);
