/** Instances that share a Redis Cluster: one order, and a failover that streams survive. */
const { Cluster } = require('ioredis');
const { createIORedisAdapter } = require('ssekify');
const { createHub, hubRoutes, serve } = require('./app');
const { addresses, text } = require('./config');

// The adapter makes connections of its own after this client's pattern, which itself never needs to connect.
const client = new Cluster(addresses('REDIS_CLUSTER_NODES', 'localhost:7000,localhost:7001,localhost:7002'), {
  lazyConnect: true,
  redisOptions: { password: text('REDIS_PASSWORD') },
});
const sse = createHub({ redis: createIORedisAdapter(client) });

serve({
  name: 'ssekify on a Redis Cluster',
  ownPort: 3002,
  addRoutes: (app) => app.use(hubRoutes(() => sse)),
  stop: () => sse.shutdown(),
});
