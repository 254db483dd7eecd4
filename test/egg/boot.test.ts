import { expect, it, vi } from 'vitest';
import { Boot, type EggApplication, type EggContext, type EggSSEOptions } from '../../src/egg/index.js';
import { SSEKifyError } from '../../src/index.js';
import { atEnd } from '../helpers/cleanup.js';
import { flushed, MadeUpResponse } from '../helpers/made-up-response.js';
import { usedBytes } from '../helpers/memory.js';
import { Messengers } from './messengers.js';

/** An application of Egg with the plugin, of which the route is called by hand. */
function boot(options?: EggSSEOptions) {
  const routes = new Map<string, (ctx: EggContext) => void>();
  const logged: string[] = [];
  const log = (level: string) => (message: unknown) => logged.push(`${level} ${String(message)}`);
  const app: EggApplication = {
    type: 'application',
    config: { sse: options },
    messenger: new Messengers().worker(),
    coreLogger: { warn: log('warn'), error: log('error') },
    router: { get: (path, handler) => routes.set(path, handler) },
  };
  const plugin = new Boot(app);
  plugin.configDidLoad();
  atEnd(() => plugin.beforeClose());
  return { plugin, app, logged, request: (ctx: EggContext) => routes.get('/stream')?.(ctx) };
}

const contextOf = (response: MadeUpResponse): EggContext => ({
  querystring: '',
  res: response.asResponse(),
  status: 404,
  body: undefined,
});

it('leaves a response to Egg that it could not take', () => {
  const { request } = boot();
  const [taken, broken] = [contextOf(new MadeUpResponse()), contextOf(new MadeUpResponse())];
  request(taken);
  expect(taken.respond).toBe(false);
  Reflect.set(broken.res, 'write', undefined);
  expect(() => request(broken)).toThrow(SSEKifyError);
  expect(broken.respond).toBeUndefined();
});

it('logs what the hub reports, of the same level', () => {
  const { app, logged } = boot();
  app.sse?.hub.emit('error', new SSEKifyError('BUS_DOWN', 'a warning', { level: 'warn' }));
  app.sse?.hub.emit('error', new SSEKifyError('BUS_ERROR', 'an error'));
  expect(logged).toEqual([expect.stringMatching(/^warn .*a warning/), expect.stringMatching(/^error .*an error/)]);
});

it('gives clients that do not read less than the 5 s in which Egg’s master ends a worker', async () => {
  vi.useFakeTimers({ toFake: ['setTimeout', 'clearTimeout', 'performance'] });
  const listening = process.listenerCount('disconnect');
  const { plugin, request } = boot();
  const deaf = new MadeUpResponse();
  request(contextOf(deaf));
  await flushed();
  deaf.takes = false;
  let closed = false;
  void plugin.beforeClose().then(() => {
    closed = true;
  });
  await vi.advanceTimersByTimeAsync(3000);
  await flushed();
  expect(closed).toBe(false);
  await vi.advanceTimersByTimeAsync(1500);
  await flushed();
  expect(closed).toBe(true);
  expect(process.listenerCount('disconnect')).toBe(listening);
});

it('keeps nothing of connections that have left', async () => {
  const { app, request } = boot();
  const come = async () => {
    for (let count = 0; count < 2000; count += 1) {
      const response = new MadeUpResponse();
      request(contextOf(response));
      response.emit('close');
    }
    await flushed();
  };
  await come();
  const before = usedBytes();
  await come();
  expect(app.sse?.countAll()).toBe(0);
  expect(usedBytes() - before).toBeLessThan(500_000);
});
