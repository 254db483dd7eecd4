/** Instances that share a Redis whose failover is Sentinel's work. */
const { createIORedisAdapter } = require('ssekify');
const { createHub, hubRoutes, serve } = require('./app');
const { addresses, text } = require('./config');

const sse = createHub({
  redis: createIORedisAdapter({
    sentinels: addresses('REDIS_SENTINELS', 'localhost:26379'),
    name: text('REDIS_SENTINEL_MASTER', 'mymaster'),
    password: text('REDIS_PASSWORD'),
  }),
});

serve({
  name: 'ssekify with Redis Sentinel',
  ownPort: 3003,
  addRoutes: (app) => app.use(hubRoutes(() => sse)),
  stop: () => sse.shutdown(),
});
