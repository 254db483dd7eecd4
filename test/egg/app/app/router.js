module.exports = ({ router, controller }) => {
  router.post('/call', controller.sse.call);
  router.post('/tell', controller.sse.tell);
};
