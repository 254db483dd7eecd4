/** What the hand-written subjects have in common: lists of clients, and the text of a frame. */

const HEAD = {
  'Content-Type': 'text/event-stream; charset=utf-8',
  'Cache-Control': 'no-cache, no-transform',
  'X-Accel-Buffering': 'no',
};
const HEARTBEAT_MS = 15_000;

/** Answers with the head of an event stream, now. */
function sendHead(res) {
  res.writeHead(200, HEAD);
  res.flushHeaders();
}

let id = 0;

/** An event with an id, as text. */
function frameText(data) {
  id += 1;
  return `id: ${id}\ndata: ${JSON.stringify(data)}\n\n`;
}

/** Clients by room and by user, each taken out when its response closes. */
class Clients {
  all = new Set();
  users = new Map();
  rooms = new Map();

  add(client, res, user, room) {
    this.all.add(client);
    this.users.set(user, client);
    if (room !== undefined) this.roomOf(room).add(client);
    res.on('close', () => {
      this.all.delete(client);
      this.users.delete(user);
      this.rooms.get(room)?.delete(client);
    });
  }

  roomOf(name) {
    let room = this.rooms.get(name);
    if (room === undefined) {
      room = new Set();
      this.rooms.set(name, room);
    }
    return room;
  }
}

/** Sends `: ping` to all, as whoever writes such a loop does. */
function heartbeat(sendAll) {
  setInterval(() => sendAll(': ping\n\n'), HEARTBEAT_MS).unref();
}

module.exports = { sendHead, frameText, Clients, heartbeat };
