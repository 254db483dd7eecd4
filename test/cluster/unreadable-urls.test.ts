import { inspect } from 'node:util';
import { describe, expect, it } from 'vitest';
import { createIORedisAdapter, createNodeRedisAdapter, createRedisStreamAdapter, SSEKify } from '../../src/index.js';

const MAKERS: Record<string, (url: string) => unknown> = {
  createIORedisAdapter,
  createNodeRedisAdapter,
  createRedisStreamAdapter,
  SSEKify: (redis) => new SSEKify({ redis }),
};

describe.each(Object.entries(MAKERS))('%s', (_, make) => {
  it('refuses a URL that nobody can read, and shows it', () => {
    expect(() => make('redis://localhost:undefined')).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTION',
        message: expect.stringContaining('redis://localhost:undefined'),
      }),
    );
  });

  it.each([
    'redis://app:s3cret@host:undefined',
    'redis://:s3cret@host:undefined',
    'redis://app:s3cret#x@host',
    'redis://app:s3cret%@host',
    'redis:/app:s3cret@host',
    'redis//app:s3cret@host',
    'http://app:s3cret@host',
  ])('keeps the password of %s to itself', (url) => {
    let refusal: unknown;
    try {
      make(url);
    } catch (error) {
      refusal = error;
    }
    expect(refusal).toMatchObject({ code: 'INVALID_OPTION' });
    expect(inspect(refusal)).not.toContain('s3cret');
  });
});

describe.each([createIORedisAdapter, createNodeRedisAdapter, createRedisStreamAdapter])('%o', (make) => {
  it('refuses an empty URL, which would lead to the Redis of this machine', () => {
    expect(() => make('')).toThrow(
      expect.objectContaining({
        code: 'INVALID_OPTION',
        message: 'target is "": expected a redis:// or rediss:// URL.',
      }),
    );
  });
});
