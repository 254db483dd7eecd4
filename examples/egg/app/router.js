module.exports = ({ router, controller }) => {
  const { events } = controller;
  router.get('/sse', events.stream);
  router.post('/notify/:userId', events.notify);
  router.post('/broadcast', events.broadcast);
  router.post('/room/:room', events.room);
  router.post('/publish-room/:room', events.publishRoom);
  router.post('/close/:userId', events.close);
  router.get('/stats', events.stats);
};
