module.exports = ({ router, controller }) => {
  router.get('/sse', controller.bridge.stream);
  router.get('/health', controller.bridge.health);
};
