/** sse-channels as its documentation shows it, with an id on every event, so that its history works. */
const { Channel, Connection } = require('sse-channels');

exports.protocols = ['http', 'https', 'http2'];

let id = 0;

function event(data) {
  id += 1;
  return { id: String(id), data: JSON.stringify(data) };
}

exports.create = () => {
  const everyone = new Channel();
  const rooms = new Map();
  const users = new Map();
  const roomOf = (name) => {
    let room = rooms.get(name);
    if (room === undefined) {
      room = new Channel();
      rooms.set(name, room);
    }
    return room;
  };
  return {
    connect(req, res, user, room) {
      const connection = new Connection(req, res, { ping: true });
      everyone.add(connection);
      if (room !== undefined) roomOf(room).add(connection);
      users.set(user, connection);
      connection.once('close', () => users.delete(user));
    },
    broadcast: (data) => everyone.send(event(data)),
    toRoom: (room, data) => rooms.get(room).send(event(data)),
    toUser: (user, data) => users.get(user).send(event(data)),
  };
};
