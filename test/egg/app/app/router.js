module.exports = ({ router, controller }) => {
  router.post('/call', controller.sse.call);
  router.post('/ask', controller.sse.ask);
  router.post('/tell', controller.sse.tell);
  router.post('/crash', controller.sse.crash);
};
