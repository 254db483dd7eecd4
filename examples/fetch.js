/** The routes of the Express example for any server that takes a `Request` and gives a `Response`, by web standards alone. */
const { answerTo, eventIn, namesIn, only, problem } = require('./hub');

const BODY_LIMIT = 64 * 1024;

/** A handler for `Bun.serve` and `Deno.serve`. */
exports.createHandler = (sse) => {
  const routes = {
    // A demo believes what the URL says. Your application takes the user from its session, and decides who may join a room.
    'GET /sse'(request, url) {
      const rooms = namesIn(url.searchParams.get('rooms') ?? '');
      return sse.respond(request, only(url.searchParams.getAll('userId')), { rooms });
    },
    async 'POST /notify/:'(request, _, userId) {
      return Response.json({ reached: sse.sendToUser(userId, ...eventIn(await bodyOf(request))) });
    },
    async 'POST /broadcast'(request) {
      return Response.json({ reached: sse.sendToAll(...eventIn(await bodyOf(request))) });
    },
    async 'POST /room/:'(request, _, room) {
      return Response.json({ reached: sse.sendToRoom(room, ...eventIn(await bodyOf(request))) });
    },
    // As /room, but to every instance on the channel. Without Redis that is this one.
    async 'POST /publish-room/:'(request, _, room) {
      return Response.json(await sse.publishToRoom(room, ...eventIn(await bodyOf(request))));
    },
    'POST /close/:': (_request, _, userId) => Response.json({ closed: sse.close(userId) }),
    'GET /stats': () => Response.json(sse.stats()),
  };

  return async (request) => {
    try {
      const url = new URL(request.url);
      const [, place, name, ...more] = url.pathname.split('/');
      const route = `${request.method} /${place}${name === undefined ? '' : '/:'}`;
      if (more.length > 0 || !Object.hasOwn(routes, route)) throw problem(404, 'no such route');
      return await routes[route](request, url, decoded(name));
    } catch (error) {
      const { status, body } = answerTo(error);
      return Response.json(body, { status });
    }
  };
};

function decoded(name) {
  try {
    return name && decodeURIComponent(name);
  } catch {
    throw problem(400, 'the path is not percent-encoded UTF-8');
  }
}

/** The body, which is JSON; `undefined` where there is none. */
async function bodyOf(request) {
  if (!/^application\/json\b/i.test(request.headers.get('Content-Type') ?? '')) return undefined;
  const pieces = [];
  let size = 0;
  for await (const piece of request.body ?? []) {
    size += piece.byteLength;
    if (size > BODY_LIMIT) throw problem(413, 'the body is too large');
    pieces.push(piece);
  }
  try {
    return JSON.parse(Buffer.concat(pieces).toString());
  } catch (error) {
    throw problem(400, error.message);
  }
}
