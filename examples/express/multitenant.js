/** One hub and one channel for each tenant, made when it is first needed and let go when nobody needs it any more. */
const { createIORedisAdapter } = require('ssekify');
const { createHub, hubRoutes, problem, serve } = require('./app');
const { number, text } = require('./config');

const idleMs = number('TENANT_IDLE_MS', 60_000);
const maxTenants = number('MAX_TENANTS', 1000);
const prefix = text('SSE_CHANNEL', 'ssekify:tenant');

/** By name; a Map, since a tenant may well be called `__proto__`. */
const tenants = new Map();
/** All hubs share its two connections; the last hub to go closes them. */
let adapter;

/** The hub of a tenant, for at least as long as it takes to be idle. */
function hubOf(name) {
  if (name.length > 64) throw problem(400, 'the name of a tenant has at most 64 characters');
  let tenant = tenants.get(name);
  if (tenant === undefined) {
    if (tenants.size >= maxTenants) throw problem(503, 'there are too many tenants at once');
    if (text('REDIS_URL') !== undefined) adapter ??= createIORedisAdapter(text('REDIS_URL'));
    const channel = `${prefix}:${name}`;
    // Counters are not the channel's: without a prefix of its own, one tenant's numbers would go on with another's.
    tenant = { sse: createHub({ redis: adapter, channel, seq: { redisKeyPrefix: `${channel}:seq:` } }) };
    tenants.set(name, tenant);
  }
  clearTimeout(tenant.timer);
  tenant.timer = setTimeout(() => letGo(name, tenant), idleMs);
  tenant.timer.unref();
  return tenant.sse;
}

function letGo(name, { sse, timer }) {
  if (sse.stats().connections > 0) {
    timer.refresh();
    return;
  }
  tenants.delete(name);
  if (tenants.size === 0) adapter = undefined;
  console.log(`let go of ${JSON.stringify(name)}`);
  sse.shutdown();
}

serve({
  name: 'ssekify for many tenants',
  ownPort: 3001,
  addRoutes(app) {
    app.get('/', (_req, res) => res.json({ tenants: [...tenants.keys()] }));
    app.use(
      '/:tenant',
      hubRoutes((req) => hubOf(req.params.tenant)),
    );
  },
  stop: () => Promise.all([...tenants.values()].map(({ sse }) => sse.shutdown())),
});
