/** The floor: a loop of `socket.write`, past the response, with the chunk framing made once. */
const { Clients, frameText, heartbeat, sendHead } = require('./bare.js');

exports.protocols = ['http', 'https'];

/** As one chunk of the chunked coding. */
const framed = (text) => `${Buffer.byteLength(text).toString(16)}\r\n${text}\r\n`;

exports.create = () => {
  const clients = new Clients();
  const sendTo = (sockets, text) => {
    const bytes = Buffer.from(framed(text));
    for (const socket of sockets) socket.write(bytes);
  };
  heartbeat((text) => sendTo(clients.all, text));
  return {
    connect(_req, res, user, room) {
      sendHead(res);
      clients.add(res.socket, res, user, room);
    },
    broadcast: (data) => sendTo(clients.all, frameText(data)),
    toRoom: (room, data) => sendTo(clients.rooms.get(room), frameText(data)),
    toUser: (user, data) => clients.users.get(user).write(framed(frameText(data))),
  };
};

exports.framed = framed;
