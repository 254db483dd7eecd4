/** What the examples have in common, whatever the framework: a hub, and how requests are read and refused. */
const { SSEKify, SSEKifyError } = require('ssekify');
const { hubOptions, port } = require('./express/config');

exports.port = port;

/** A hub with the options of the environment, and these. */
exports.createHub = (options) => {
  const sse = new SSEKify({ ...hubOptions(), ...options });
  sse.on('error', (error) => console.error(`ssekify: ${error.code}: ${error.message}`));
  // What a client missed has gone out when it is connected, so this event marks where the live ones begin.
  sse.on('connect', ({ handle }) => {
    handle.send({ rooms: handle.rooms, resumedAfter: handle.lastEventId ?? null }, { event: 'live' });
  });
  return sse;
};

/** `a,b` as room names. */
exports.namesIn = (list = '') => {
  const names = String(list).split(',');
  return names.map((name) => name.trim()).filter((name) => name !== '');
};

/** An error that is answered with this status. */
const problem = (status, message) => Object.assign(new Error(message), { status });
exports.problem = problem;

/**
 * A parsed body as the last arguments of a send: `sse.sendToAll(...eventIn(body))`. One with a `data` member is
 * `{ event?, data }`; any other is itself the data.
 */
exports.eventIn = (body) => {
  if (body === undefined) throw problem(415, 'the body is missing: send JSON, as application/json');
  if (typeof body !== 'object' || body === null) throw problem(400, 'the body is neither an object nor an array');
  return Object.hasOwn(body, 'data') ? [body.data, { event: body.event }] : [body];
};

/** How an error is answered: what a caller did wrong is told, what is wrong in here is not. */
exports.answerTo = (error) => {
  const status = statusOf(error);
  if (status !== 500) return { status, body: { error: error.message, code: error.code } };
  console.error(error);
  return { status, body: { error: 'internal error' } };
};

function statusOf(error) {
  if (!(error instanceof SSEKifyError)) return error.status ?? error.statusCode ?? 500;
  return /^(INVALID_|NOT_SERIALIZABLE|PAYLOAD_TOO_LARGE)/.test(error.code) ? 400 : 503;
}

/** The one value of a parameter; none or several are passed on as they are, for the library to refuse. */
exports.only = (values) => (values?.length === 1 ? values[0] : values);

/** Runs once when the process is told to end, by Ctrl-C or by whoever supervises it. */
exports.onEnd = (stop) => {
  let ending = false;
  for (const signal of ['SIGTERM', 'SIGINT']) {
    // npm passes Ctrl-C on to a process that has it from the terminal already.
    process.on(signal, () => {
      if (ending) return;
      ending = true;
      stop();
    });
  }
};

/** Ends a server of Node's after its hub; a request that never ends does not keep the process. */
exports.closeServer = (server) => {
  server.close();
  setTimeout(() => server.closeAllConnections?.(), 1000).unref();
};
