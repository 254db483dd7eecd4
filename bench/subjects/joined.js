/** The floor of a burst: the bare loop, with all frames of a turn of the event loop in one buffer, written once per socket. */
const { Clients, frameText, heartbeat, sendHead } = require('./bare.js');
const { framed } = require('./socket.js');

exports.protocols = ['http', 'https'];

exports.create = () => {
  const clients = new Clients();
  const turn = [];
  const flush = () => {
    const bytes = Buffer.from(framed(turn.splice(0).join('')));
    for (const socket of clients.all) socket.write(bytes);
  };
  const sendAll = (text) => {
    if (turn.push(text) === 1) setImmediate(flush);
  };
  heartbeat(sendAll);
  return {
    connect(_req, res, user, room) {
      sendHead(res);
      clients.add(res.socket, res, user, room);
    },
    broadcast: (data) => sendAll(frameText(data)),
  };
};
