/** better-sse as its documentation shows it: a session per client, channels for everyone and for rooms. */
const { createChannel, createSession } = require('better-sse');

exports.protocols = ['http', 'https', 'http2'];

exports.create = () => {
  const everyone = createChannel();
  const rooms = new Map();
  const users = new Map();
  const roomOf = (name) => {
    let room = rooms.get(name);
    if (room === undefined) {
      room = createChannel();
      rooms.set(name, room);
    }
    return room;
  };
  return {
    async connect(req, res, user, room) {
      const session = await createSession(req, res);
      everyone.register(session);
      if (room !== undefined) roomOf(room).register(session);
      users.set(user, session);
      session.once('disconnected', () => users.delete(user));
    },
    broadcast: (data) => everyone.broadcast(data),
    toRoom: (room, data) => rooms.get(room).broadcast(data),
    toUser: (user, data) => users.get(user).push(data),
  };
};
