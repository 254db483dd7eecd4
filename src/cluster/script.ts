import { ChannelError } from './channel-error.js';
import type { NumberedPublish, NumberedResult } from './redis-like.js';

/**
 * Takes the next number of KEYS[1] and publishes the message with it, in one atomic step.
 * ARGV: channel, message before the number, message after it, first number, least number, expiry in ms; and the expected
 * number, if one is, which stands in the message already, so that nothing is put between the pieces.
 *
 * It travels with each call, and Redis hashes it at each, so it is short: a call by its hash, refused when Redis has lost its
 * scripts and sent again, would let later publishes pass.
 *
 * @returns the number; when another is expected, -1 less the number
 */
export const PUBLISH_NUMBERED = `
local a,k,call=ARGV,KEYS[1],redis.call
local n=math.max((call('GET',k)or 0)+a[4],a[5])
local t=('%.0f'):format(n)
if a[7]then if n~=a[7]+0 then return-1-n end t=''end
call('SET',k,('%.0f'):format(n+1-a[4]),'PX',a[6])
call('PUBLISH',a[1],a[2]..t..a[3])
return n`.trim();

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
  const numbers = expected === undefined ? [startAt, floor, ttlMs] : [startAt, floor, ttlMs, expected];
  return [channel, before, after, ...numbers.map(String)];
}

/** What the script answered; of one that answered otherwise nobody knows what it did. */
export function numberedResult(answer: unknown): NumberedResult {
  const number = typeof answer === 'object' ? Number.NaN : Number(answer);
  if (!Number.isSafeInteger(number)) {
    throw new ChannelError(`the script answered ${JSON.stringify(answer)}`, 'unknown');
  }
  return number < 0 ? { seq: -1 - number, published: false } : { seq: number, published: true };
}
