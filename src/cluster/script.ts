import { createHash } from 'node:crypto';
import type { NumberedPublish, NumberedResult } from './redis-like.js';

/**
 * Takes the next number of KEYS[1] and publishes the message with it, in one atomic step.
 * ARGV: channel, message before the number, message after it, first number, least number, expiry in ms, expected number or ''.
 * When a number is expected it stands in the message already, and nothing is put between the pieces.
 */
export const PUBLISH_NUMBERED = `
local start, floor, expected = tonumber(ARGV[4]), tonumber(ARGV[5]), tonumber(ARGV[7])
local seq = tonumber(redis.call('GET', KEYS[1]) or '0') + start
if seq < floor then seq = floor end
if expected and seq ~= expected then return {0, seq} end
local number = string.format('%.0f', seq)
redis.call('SET', KEYS[1], string.format('%.0f', seq + 1 - start), 'PX', ARGV[6])
if expected then number = '' end
redis.call('PUBLISH', ARGV[1], ARGV[2] .. number .. ARGV[3])
return {1, seq}`;

/** Publishes; its key only says to which node of a cluster the channel belongs. */
export const PUBLISH_AT_SLOT = `return redis.call('PUBLISH', ARGV[1], ARGV[2])`;

/**
 * A key that lies on the node a channel belongs to. Of a key with braces Redis looks only at what stands between the first
 * two, or at all of it when that is nothing, which a channel that begins with a brace must not bring about.
 */
export function slotKey(channel: string, rest: string): string {
  return `{${channel.replace(/^\}/, '%7D')}}:${rest}`;
}

export const PUBLISH_NUMBERED_SHA = createHash('sha1').update(PUBLISH_NUMBERED).digest('hex');

/** What the script is given after its key. */
export function numberedArguments(channel: string, publish: NumberedPublish): string[] {
  const { startAt, floor, ttlMs, expected, before, after } = publish;
  return [
    channel,
    before,
    after,
    String(startAt),
    String(floor),
    String(ttlMs),
    expected === undefined ? '' : String(expected),
  ];
}

/** What the script answered. */
export function numberedResult(answer: unknown): NumberedResult {
  if (Array.isArray(answer)) {
    const [published, seq] = answer.map(Number);
    if (seq !== undefined && Number.isSafeInteger(seq)) return { published: published === 1, seq };
  }
  throw new Error(`the script answered ${JSON.stringify(answer)}`);
}
