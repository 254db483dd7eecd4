import type { NumberedPublish, NumberedResult } from './redis-like.js';

/**
 * Takes the next number of KEYS[1] and publishes the message with it, in one atomic step.
 * ARGV: channel, message before the number, message after it, first number, least number, expiry in ms, expected number or ''.
 * When a number is expected it stands in the message already, and nothing is put between the pieces.
 *
 * It travels with each call, and so is short: a call by its hash, refused when Redis has lost its scripts and sent again,
 * would let later publishes pass.
 */
export const PUBLISH_NUMBERED = `
local seq,want=(redis.call('GET',KEYS[1]) or 0)+ARGV[4],ARGV[7]
seq=math.max(seq,ARGV[5])
if want~='' and seq~=want+0 then return {0,seq} end
local text=function(n) return string.format('%.0f',n) end
redis.call('SET',KEYS[1],text(seq+1-ARGV[4]),'PX',ARGV[6])
redis.call('PUBLISH',ARGV[1],ARGV[2]..(want=='' and text(seq) or '')..ARGV[3])
return {1,seq}`.trim();

/** Publishes; its key only says to which node of a cluster the channel belongs. */
export const PUBLISH_AT_SLOT = `return redis.call('PUBLISH', ARGV[1], ARGV[2])`;

/**
 * A key that lies on the node a channel belongs to. Of a key with braces Redis looks only at what stands between the first
 * two, or at all of it when that is nothing, which a channel that begins with a brace must not bring about.
 */
export function slotKey(channel: string, rest: string): string {
  return `{${channel.replace(/^\}/, '%7D')}}:${rest}`;
}

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
