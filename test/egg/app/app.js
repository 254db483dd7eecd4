module.exports = (app) => {
  // Each worker hears it, and so each sends to its own.
  app.messenger.on('news', ({ key, data }) => app.sse.send(key, data));
};
