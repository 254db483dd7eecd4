/** What the three ways to let users in have in common. */
import { randomBytes } from 'node:crypto';
import app from '../express/app.js';
import config from '../express/config.js';

const LONGEST_TIMER_MS = 2 ** 31 - 1;

/**
 * A stream that ends when what let its user in expires, or up to a tenth of that time sooner. An EventSource comes back by
 * itself, and is refused, which is final for it: the page has to get something new, and to open a new one.
 */
export function openUntil(sse, userId, res, expiresAtMs) {
  const leftMs = Math.min(Math.max(Math.floor(expiresAtMs - Date.now()), 1), LONGEST_TIMER_MS);
  const handle = sse.registerConnection(userId, res, { maxLifetimeMs: leftMs });
  handle.send({ userId: handle.userId, expiresAt: new Date(expiresAtMs).toISOString() }, { event: 'expires' });
  return handle;
}

/** What follows `Bearer` in the request's `Authorization`. */
export function bearerOf(req) {
  const [, token] = /^Bearer +(\S+) *$/i.exec(req.get('Authorization') ?? '') ?? [];
  if (token === undefined) throw app.problem(401, 'send Authorization: Bearer …');
  return token;
}

/** A secret of the environment, of at least 32 bytes. */
export function secret(name) {
  const bytes = Buffer.from(config.text(name, ''));
  if (bytes.length < 32) throw new Error(`${name} has ${bytes.length} bytes: expected at least 32`);
  return bytes;
}

/** The same; without one, random bytes that end with this process. */
export function secretOrRandom(name) {
  if (config.text(name) !== undefined) return secret(name);
  console.warn(`${name} is not set: what was signed is worth nothing after a restart`);
  return randomBytes(32);
}

/** A route that sends a user's event to that user alone: `{ event?, data }`. */
export async function notifySelf(sse, userId, req, res) {
  const { event, data } = app.eventIn(req);
  res.json(await sse.publishToUser(userId, data, { event }));
}
