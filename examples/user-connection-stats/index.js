/** A page that shows who is connected how often, and the counters of the hub, as they change. */
const path = require('node:path');
const express = require('express');
const { hubRoutes, serve } = require('../express/app');
const { createHub } = require('../hub');

/** Changes within so long are shown together. */
const SETTLE_MS = 100;

/** The hub that is looked at. */
const sse = createHub();

/**
 * The hub of those who look, so that they are not counted. What it sends is the whole state, so there is nothing to
 * resend; and on a channel it would be shown to those who look at another instance.
 */
const watchers = createHub({ redis: null, recentBufferSize: 0, seq: { frameIdPolicy: 'none' } });
let watcherCount = 0;

const stateNow = () => ({ users: sse.getAllUsersConnectionStats(), stats: sse.stats() });

let timer;
function show() {
  timer ??= setTimeout(() => {
    timer = undefined;
    watchers.sendToAll(stateNow(), { event: 'state' });
  }, SETTLE_MS);
}
sse.on('connect', show);
sse.on('disconnect', show);
sse.on('message-sent', show);

serve({
  name: 'ssekify user connection stats',
  ownPort: 3070,
  addRoutes(app) {
    app.use(express.static(path.join(__dirname, 'public')));
    // Who is there is nobody else's business: your application asks for the right to see it.
    app.get('/watch', (_req, res) => {
      watcherCount += 1;
      watchers.registerConnection(`watcher ${watcherCount}`, res).send(stateNow(), { event: 'state' });
    });
    app.get('/users', (_req, res) => res.json(sse.getAllUsersConnectionStats()));
    app.get('/users/:userId', ({ params: { userId } }, res) => {
      res.json({
        online: sse.isUserOnline(userId),
        connections: sse.getUserConnectionCount(userId),
        connIds: sse.getUserConnectionIds(userId),
      });
    });
    app.use(hubRoutes(() => sse));
  },
  async stop() {
    await Promise.all([sse.shutdown(), watchers.shutdown()]);
    clearTimeout(timer);
  },
});
