/**
 * A session cookie, which a browser sends with every request, an EventSource's too. So do requests that other sites make it
 * send: whose page it comes from has to be looked at.
 */
import { randomBytes } from 'node:crypto';
import app from '../express/app.js';
import config from '../express/config.js';
import { notifySelf, openUntil } from './access.mjs';

const COOKIE = 'session';
const sessionMs = config.number('SESSION_SECONDS', 8 * 3600) * 1000;
/** Other origins whose pages may use this server with the user's cookie, `https://app.example,https://…`. */
const allowedOrigins = new Set(config.text('ALLOWED_ORIGINS', '').split(',').filter(Boolean));
// Between sites a cookie travels only so, and only over TLS; two ports of localhost are one site.
const crossSite = config.text('COOKIE_CROSS_SITE') === '1';
const attributes = { httpOnly: true, path: '/', sameSite: crossSite ? 'none' : 'lax', secure: crossSite };

/** By id: `{ userId, expiresAtMs, handles }`. Of a real application they are in a store that all instances share. */
const sessions = new Map();
const sse = app.createHub();

function sessionIdIn(req) {
  const pairs = (req.get('Cookie') ?? '').split(';').map((pair) => pair.trim().split('='));
  return pairs.find(([name]) => name === COOKIE)?.[1];
}

function sessionOf(req) {
  const session = sessions.get(sessionIdIn(req));
  if (session === undefined || session.expiresAtMs <= Date.now()) throw app.problem(401, 'log in first');
  return session;
}

function end(id) {
  const session = sessions.get(id);
  sessions.delete(id);
  for (const handle of session?.handles ?? []) handle.close();
}

/**
 * Lets pages of the allowed origins read the answers. With credentials the origin has to be named: `*` is not accepted by
 * browsers. Requests of other origins' pages are refused, whether or not they could read the answer.
 */
function cors(req, res, next) {
  const origin = req.get('Origin');
  res.vary('Origin');
  // Without an Origin it is a GET of the same origin, or no browser at all.
  if (origin === undefined || (URL.canParse(origin) && new URL(origin).host === req.get('Host'))) return next();
  if (!allowedOrigins.has(origin)) throw app.problem(403, 'pages of this origin may not ask');
  res.set({ 'Access-Control-Allow-Origin': origin, 'Access-Control-Allow-Credentials': 'true' });
  if (req.method !== 'OPTIONS') return next();
  res.set({
    'Access-Control-Allow-Methods': 'GET, POST',
    'Access-Control-Allow-Headers': 'Content-Type, Last-Event-ID',
    'Access-Control-Max-Age': '600',
  });
  res.sendStatus(204);
}

// Sessions that nobody comes back to.
const sweeping = setInterval(() => {
  for (const [id, { expiresAtMs }] of sessions) if (expiresAtMs <= Date.now()) end(id);
}, 60_000);
sweeping.unref();

app.serve({
  name: 'ssekify with a session cookie',
  ownPort: 3102,
  addRoutes(routes) {
    routes.use(cors);
    // A demo asks for no password.
    routes.post('/login', (req, res) => {
      const userId = app.userIdIn(req);
      // Always a new one: an id that was there before the login may be known to somebody else.
      end(sessionIdIn(req));
      const id = randomBytes(32).toString('base64url');
      sessions.set(id, { userId, expiresAtMs: Date.now() + sessionMs, handles: new Set() });
      res.cookie(COOKIE, id, { ...attributes, maxAge: sessionMs }).json({ userId });
    });
    routes.post('/logout', (req, res) => {
      end(sessionIdIn(req));
      res.clearCookie(COOKIE, attributes).json({ ended: true });
    });
    routes.get('/sse', (req, res) => {
      const session = sessionOf(req);
      // CORS headers that are set on the response stay.
      const handle = openUntil(sse, session.userId, res, session.expiresAtMs);
      if (handle.closed) return;
      session.handles.add(handle);
      res.on('close', () => session.handles.delete(handle));
    });
    routes.post('/notify', (req, res) => notifySelf(sse, sessionOf(req).userId, req, res));
  },
  stop: () => sse.shutdown(),
});
