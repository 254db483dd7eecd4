const library = require('ssekify');

/** The adapter of a hub: the log of the lossless mode, or the channel of the Pub/Sub mode. */
function adapterOf({ mode, target, log }) {
  if (mode === 'log') return library.createRedisStreamAdapter(target, log);
  return library.createIORedisAdapter(target);
}

module.exports = { adapterOf };
