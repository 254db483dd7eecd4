import { describe, expect, it } from 'vitest';
import { EggSSE, type EggSSEOptions } from '../../src/egg/index.js';
import { readEggOptions } from '../../src/egg/options.js';
import { SSEKifyError } from '../../src/index.js';
import { endWithTest } from '../helpers/server.js';
import { Messengers } from './messengers.js';

function make(options?: EggSSEOptions): EggSSE {
  const sse = new EggSSE(options, new Messengers().worker());
  endWithTest(sse.hub);
  return sse;
}

function refusal(options: unknown): string {
  try {
    make(options as EggSSEOptions);
  } catch (error) {
    expect(error).toBeInstanceOf(SSEKifyError);
    return `${(error as SSEKifyError).code} ${(error as SSEKifyError).message}`;
  }
  return 'it was taken';
}

describe('the configuration of the plugin', () => {
  it('may be left out', () => {
    const settings = { path: '/stream', keyName: 'connectKey', sharedKey: '@sse/count' };
    expect(make().settings).toMatchObject({ ...settings, hub: { maxConnections: 10_000, keepAliveMs: 10_000 } });
    expect(make().hub.stats().bus.state).not.toBe('none');
  });

  it.each([undefined, null, false, ''] as const)('takes %s for redis as none, which is the messenger', (redis) => {
    expect(make({ redis }).hub.stats().bus.state).not.toBe('none');
  });

  it('lets the names of the hub go over the short ones', () => {
    const { hub } = readEggOptions({ maxClients: 1, maxConnections: 2, pingInterval: 3, keepAliveMs: 4, retryMs: 5 });
    expect(hub).toMatchObject({ maxConnections: 2, keepAliveMs: 4, retryMs: 5 });
    const undecided = readEggOptions({
      maxConnections: undefined,
      maxClients: 1,
      keepAliveMs: 0,
      headers: { 'X-A': 'b' },
    });
    expect(undecided.hub).toMatchObject({ maxConnections: 1, keepAliveMs: 0, connection: { headers: { 'X-A': 'b' } } });
    expect(readEggOptions({ connection: { retryMs: 7 } }).hub.connection).toEqual({ retryMs: 7 });
  });

  it.each([
    [[], 'config.sse is []: expected an object.'],
    [null, 'config.sse is null: expected an object.'],
    [{ path: 'stream' }, "config.sse.path is 'stream': expected a path that begins with /."],
    [{ maxClients: 0 }, 'config.sse.maxClients is 0: expected an integer of at least 1.'],
    [{ maxClients: '10' }, "config.sse.maxClients is '10': expected an integer of at least 1."],
    [{ pingInterval: Number.NaN }, 'config.sse.pingInterval is NaN: expected an integer from 0 to 2147483647 (ms).'],
    [
      { pingInterval: 2 ** 31 },
      'config.sse.pingInterval is 2147483648: expected an integer from 0 to 2147483647 (ms).',
    ],
    [{ connectKey: '' }, "config.sse.connectKey is '': expected a non-empty string."],
    [{ cacheKey: 7 }, 'config.sse.cacheKey is 7: expected a non-empty string.'],
    [{ headers: {}, connection: {} }, 'config.sse.headers is {}: expected nothing beside connection'],
    [{ headers: [] }, 'options.connection.headers'],
    [{ maxConnections: -1 }, 'options.maxConnections is -1'],
    [{ ping: 1 }, 'options["ping"] is 1'],
  ])('is refused as %j', (options, message) => {
    expect(refusal(options)).toContain(`INVALID_OPTION ${message}`);
  });
});
