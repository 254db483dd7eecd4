module.exports = {
  // Signs cookies, of which this example has none. Yours is a secret.
  keys: 'ssekify-example',
  bodyParser: { enableTypes: ['json'], jsonLimit: '64kb' },
  // For curl, which has no token. Keep it on where a session is what lets a user send.
  security: { csrf: { enable: false } },
  logger: { consoleLevel: 'WARN' },
};
