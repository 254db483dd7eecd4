/** Tells which worker answered, and keeps a stream from those who may not have it. */
module.exports = () => async (ctx, next) => {
  ctx.set('X-Worker', String(process.pid));
  if (ctx.query.forbidden !== undefined) ctx.throw(403);
  await next();
};
