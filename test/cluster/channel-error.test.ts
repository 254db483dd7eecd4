import { describe, expect, it } from 'vitest';
import { channelError } from '../../src/cluster/channel-error.js';

describe('what is known of a message that a Cluster sent on too often', () => {
  const outcomeAfter = (last: string) =>
    channelError(new Error(`Too many Cluster redirections. Last error: ${last}`)).outcome;

  it('is that it was not taken, where the last node said so', () => {
    expect(outcomeAfter('ReplyError: TRYAGAIN Multiple keys request during rehashing of slot')).toBe('refused');
    expect(outcomeAfter('ReplyError: MOVED 3612 127.0.0.1:7000')).toBe('refused');
  });

  it('is nothing, where the last answer was lost', () => {
    expect(outcomeAfter('Error: Connection is closed.')).toBe('unknown');
  });
});

it.each([
  [
    'Reached the max retries per request limit (which is 0). Refer to "maxRetriesPerRequest" option for details.',
    'unknown',
  ],
  ["Stream isn't writeable and enableOfflineQueue options is false", 'refused'],
])('says that the connection was lost, and sends nobody to options that change nothing: %s', (said, outcome) => {
  expect(channelError(new Error(said))).toMatchObject({ message: 'the connection to Redis was lost', outcome });
});
