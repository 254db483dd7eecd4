const { bodyParser } = require('@koa/bodyparser');
const { Router } = require('@koa/router');
const Koa = require('koa');
const { closeServer, createHub, eventIn, namesIn, onEnd, port } = require('../hub');
const { bodyOf, jsonErrors } = require('./json');

const sse = createHub();

const router = new Router();

// A demo believes what the URL says. Your application takes the user from its session, and decides who may join a room.
router.get('/sse', (ctx) => {
  sse.registerConnection(ctx.query.userId, ctx.res, { rooms: namesIn(ctx.query.rooms) });
  // The response is the hub's from now on. Should the line above throw, Koa still answers.
  ctx.respond = false;
});

router.post('/notify/:userId', (ctx) => {
  ctx.body = { reached: sse.sendToUser(ctx.params.userId, ...eventIn(bodyOf(ctx))) };
});

router.post('/broadcast', (ctx) => {
  ctx.body = { reached: sse.sendToAll(...eventIn(bodyOf(ctx))) };
});

router.post('/room/:room', (ctx) => {
  ctx.body = { reached: sse.sendToRoom(ctx.params.room, ...eventIn(bodyOf(ctx))) };
});

// As /room, but to every instance on the channel. Without Redis that is this one.
router.post('/publish-room/:room', async (ctx) => {
  ctx.body = await sse.publishToRoom(ctx.params.room, ...eventIn(bodyOf(ctx)));
});

router.post('/close/:userId', (ctx) => {
  ctx.body = { closed: sse.close(ctx.params.userId) };
});

router.get('/stats', (ctx) => {
  ctx.body = sse.stats();
});

const app = new Koa();
app.use(jsonErrors);
app.use(bodyParser({ enableTypes: ['json'], jsonLimit: '64kb' }));
app.use(router.routes());

const server = app.listen(port(3010), () => {
  console.log(`ssekify with Koa: http://localhost:${server.address().port}`);
});

onEnd(async () => {
  await sse.shutdown();
  closeServer(server);
});
