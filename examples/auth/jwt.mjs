/**
 * A JWT in the query, since an EventSource sends no headers of the page's own. It is good for streams alone, and for a few
 * minutes: URLs end up in logs.
 */
import { errors, jwtVerify, SignJWT } from 'jose';
import app from '../express/app.js';
import config from '../express/config.js';
import { bearerOf, notifySelf, openUntil, secretOrRandom } from './access.mjs';

const key = secretOrRandom('JWT_SECRET');
const ISSUER = 'ssekify-example';
const ALGORITHM = 'HS256';
const ACCESS = { audience: 'api', seconds: 3600 };
const STREAM = { audience: 'stream', seconds: config.number('STREAM_TOKEN_SECONDS', 300) };

function sign(userId, { audience, seconds }) {
  return new SignJWT()
    .setProtectedHeader({ alg: ALGORITHM })
    .setIssuer(ISSUER)
    .setAudience(audience)
    .setSubject(String(userId))
    .setExpirationTime(new Date(Date.now() + seconds * 1000))
    .sign(key);
}

/** The user and the end of a token that is for this audience. Which algorithm it may have is not its to say. */
async function verify(token, { audience }) {
  try {
    const { payload } = await jwtVerify(token, key, {
      algorithms: [ALGORITHM],
      issuer: ISSUER,
      audience,
      requiredClaims: ['sub', 'exp'],
    });
    if (typeof payload.sub !== 'string' || payload.sub === '') throw new errors.JWTInvalid('it names no user');
    return { userId: payload.sub, expiresAtMs: payload.exp * 1000 };
  } catch (error) {
    if (!(error instanceof errors.JOSEError)) throw error;
    throw Object.assign(app.problem(401, 'the token is not valid, or no longer'), { code: error.code });
  }
}

const sse = app.createHub();

app.serve({
  name: 'ssekify with a JWT',
  ownPort: 3101,
  addRoutes(routes) {
    // A demo asks for no password. What your application gives after a login stands in place of this token.
    routes.post('/login', async (req, res) => {
      res.json({ accessToken: await sign(app.userIdIn(req), ACCESS) });
    });
    routes.post('/stream-token', async (req, res) => {
      const { userId } = await verify(bearerOf(req), ACCESS);
      res
        .set('Cache-Control', 'no-store')
        .json({ token: await sign(userId, STREAM), expiresInSeconds: STREAM.seconds });
    });
    routes.get('/sse', async (req, res) => {
      const { token } = req.query;
      if (typeof token !== 'string' || token === '') throw app.problem(401, 'the token is missing: /sse?token=…');
      const { userId, expiresAtMs } = await verify(token, STREAM);
      openUntil(sse, userId, res, expiresAtMs);
    });
    routes.post('/notify', async (req, res) => {
      const { userId } = await verify(bearerOf(req), ACCESS);
      await notifySelf(sse, userId, req, res);
    });
  },
  stop: () => sse.shutdown(),
});
