/** ssekify with its defaults, as users install it; the smoke run takes the build of the working tree instead. */
const { SSEKify } = require(process.env.SSEKIFY_BENCH_ENTRY ?? 'ssekify');

exports.protocols = ['http', 'https', 'http2'];

/** @param options - none, but for what a scenario is about: a Redis, or the number of users to remember */
exports.create = async (options) => {
  const hub = new SSEKify(options);
  hub.on('error', (error) => console.error(`ssekify: ${error.message}`));
  await hub.ready();
  return {
    connect(_req, res, user, room) {
      hub.registerConnection(user, res, room === undefined ? undefined : { rooms: [room] });
    },
    broadcast: (data) => hub.sendToAll(data),
    toRoom: (room, data) => hub.sendToRoom(room, data),
    toUser: (user, data) => hub.sendToUser(user, data),
    publish: (user, data) => hub.publishToUser(user, data),
    publishToAll: (data) => hub.publishToAll(data),
    onPublished: (listener) => hub.on('publish', listener),
    stream: (user, requestId, items) => hub.task(user, { requestId }).pipe(items),
    stats: () => hub.stats(),
  };
};
