/** The careful hand-written loop: `res.write` on every response, the frame encoded once. */
const { Clients, frameText, heartbeat, sendHead } = require('./bare.js');

exports.protocols = ['http', 'https', 'http2'];

exports.create = () => {
  const clients = new Clients();
  const sendTo = (responses, text) => {
    const bytes = Buffer.from(text);
    for (const res of responses) res.write(bytes);
  };
  heartbeat((text) => sendTo(clients.all, text));
  return {
    connect(_req, res, user, room) {
      sendHead(res);
      clients.add(res, res, user, room);
    },
    broadcast: (data) => sendTo(clients.all, frameText(data)),
    toRoom: (room, data) => sendTo(clients.rooms.get(room), frameText(data)),
    toUser: (user, data) => clients.users.get(user).write(frameText(data)),
    /** Each item as ssekify's tasks send it. */
    async stream(user, requestId, items) {
      const res = clients.users.get(user);
      const send = (phase, payload, seq) => {
        const data = { requestId, phase, event: phase, payload, timestamp: new Date().toISOString(), seq };
        res.write(`event: notify\n${frameText(data)}`);
      };
      let seq = 0;
      for await (const item of items) {
        send('progress', item, seq);
        seq += 1;
      }
      send('done', undefined, seq);
    },
  };
};
