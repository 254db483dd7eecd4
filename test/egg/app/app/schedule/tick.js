let count = 0;

module.exports = {
  schedule: { interval: '100ms', type: 'worker', disable: process.env.TICK === undefined },
  async task(ctx) {
    count += 1;
    await ctx.app.sse.publish('clock', { event: 'tick', data: { count, worker: process.pid } });
  },
};
