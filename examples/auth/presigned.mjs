/**
 * A link that is signed: a backend that knows the user makes it, and whoever has it may open that user's stream until it
 * expires. This server needs to know of no session, and shares but a key with the backend.
 */
import { createHash, createHmac, timingSafeEqual } from 'node:crypto';
import app from '../express/app.js';
import config from '../express/config.js';
import { bearerOf, openUntil, secret, secretOrRandom } from './access.mjs';

const key = secretOrRandom('LINK_SECRET');
const backendKey = secret('BACKEND_KEY');
const linkSeconds = config.number('LINK_SECONDS', 300);

/** Of JSON, in which no two different links read the same. */
const signatureOf = (userId, expires) =>
  createHmac('sha256', key)
    .update(JSON.stringify(['GET /sse', userId, expires]))
    .digest('base64url');

/** In a time that does not tell how much of it was right. */
function equal(one, other) {
  const [first, second] = [one, other].map((text) => createHash('sha256').update(text).digest());
  return timingSafeEqual(first, second);
}

function expectBackend(req) {
  if (!equal(bearerOf(req), backendKey)) throw app.problem(401, 'the key is wrong');
}

/** The user and the end of a link, if it is one of ours. */
function linkIn({ userId, expires, signature }) {
  if (typeof userId !== 'string' || userId === '') throw app.problem(400, 'userId is missing');
  const isWhole = typeof expires === 'string' && typeof signature === 'string';
  if (!isWhole || !equal(signature, signatureOf(userId, expires))) throw app.problem(403, 'the signature is wrong');
  const expiresAtMs = Number(expires) * 1000;
  if (expiresAtMs <= Date.now()) throw app.problem(403, 'the link has expired');
  return { userId, expiresAtMs };
}

const sse = app.createHub();

app.serve({
  name: 'ssekify with signed links',
  ownPort: 3103,
  addRoutes(routes) {
    // For the backend alone. It may as well sign the links itself.
    routes.post('/links', (req, res) => {
      expectBackend(req);
      const userId = String(app.userIdIn(req));
      const expires = String(Math.ceil(Date.now() / 1000) + linkSeconds);
      const query = new URLSearchParams({ userId, expires, signature: signatureOf(userId, expires) });
      res.set('Cache-Control', 'no-store').json({ link: `/sse?${query}` });
    });
    routes.get('/sse', (req, res) => {
      const { userId, expiresAtMs } = linkIn(req.query);
      openUntil(sse, userId, res, expiresAtMs);
    });
    routes.post('/notify/:userId', async (req, res) => {
      expectBackend(req);
      const { event, data } = app.eventIn(req);
      res.json(await sse.publishToUser(req.params.userId, data, { event }));
    });
  },
  stop: () => sse.shutdown(),
});
