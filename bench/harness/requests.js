/** The bytes a client sends to open its stream, by protocol. */

function request(protocol, path, lastEventId) {
  if (protocol === 'http2') return overHttp2(path);
  const position = lastEventId === undefined ? '' : `Last-Event-ID: ${lastEventId}\r\n`;
  return `GET ${path} HTTP/1.1\r\nHost: bench\r\nAccept: text/event-stream\r\n${position}\r\n`;
}

const WINDOW = 2 ** 31 - 1;
const SETTINGS = 4;
const HEADERS = 1;
const WINDOW_UPDATE = 8;
const END_STREAM_AND_HEADERS = 5;

/** RFC 9113: one stream, with windows so large that the client never has to answer. */
function overHttp2(path) {
  const initialWindow = Buffer.alloc(6);
  initialWindow.writeUInt16BE(4, 0);
  initialWindow.writeUInt32BE(WINDOW, 2);
  const more = Buffer.alloc(4);
  more.writeUInt32BE(WINDOW - 65_535, 0);
  // RFC 7541: GET and http are entries of the static table, the others literals under names of it.
  const fields = Buffer.concat([Buffer.from([0x82, 0x86]), literal(4, path), literal(1, 'bench')]);
  return Buffer.concat([
    Buffer.from('PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n'),
    frame(SETTINGS, 0, 0, initialWindow),
    frame(WINDOW_UPDATE, 0, 0, more),
    frame(HEADERS, END_STREAM_AND_HEADERS, 1, fields),
  ]);
}

function literal(nameIndex, value) {
  return Buffer.concat([Buffer.from([nameIndex, value.length]), Buffer.from(value)]);
}

function frame(type, flags, stream, payload) {
  const head = Buffer.alloc(9);
  head.writeUIntBE(payload.length, 0, 3);
  head[3] = type;
  head[4] = flags;
  head.writeUInt32BE(stream, 5);
  return Buffer.concat([head, payload]);
}

module.exports = { request };
