import { expect, it } from 'vitest';
import { SSEKify } from '../../src/index.js';
import { collect } from '../helpers/emitted.js';
import { flushed, MadeUpResponse } from '../helpers/made-up-response.js';
import { endWithTest } from '../helpers/server.js';

/** Values that no text can be made of. */
const ODD = [Object.create(null), { toString: '' }, { toString: () => Symbol('text') }];

function hub() {
  const sse = new SSEKify({ keepAliveMs: 0 });
  endWithTest(sse);
  const response = new MadeUpResponse();
  sse.registerConnection('ann', response.asResponse());
  return { sse, response };
}

it.each(ODD)('breaks no delivery when a listener throws what has no text', async (odd) => {
  const { sse, response } = hub();
  const errors = collect(sse, 'error');
  sse.on('message-sent', () => {
    throw odd;
  });
  expect(sse.sendToAll('one')).toBe(1);
  await sse.publish('two');
  await flushed();
  expect(response.text.match(/^data: .*/gm)).toEqual(['data: "one"', 'data: "two"']);
  expect(errors).toMatchObject([{ code: 'LISTENER_FAILED' }, { code: 'LISTENER_FAILED' }]);
  for (const { cause } of errors) expect(cause).toBe(odd);
});

it('breaks no delivery when a listener throws what cannot even be looked at', () => {
  const { sse } = hub();
  const errors = collect(sse, 'error');
  const { proxy, revoke } = Proxy.revocable({}, {});
  revoke();
  sse.on('message-sent', () => {
    throw proxy;
  });
  expect(sse.sendToAll('one')).toBe(1);
  expect(errors.map(({ code }) => code)).toEqual(['LISTENER_FAILED']);
});

it.each(ODD)('only warns when a listener of error throws what has no text', async (odd) => {
  const { sse } = hub();
  const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
  sse.on('error', () => {
    throw odd;
  });
  expect(sse.sendToAll(undefined)).toBe(0);
  expect(await warned).toMatchObject({ name: 'SSEKifyWarning', code: 'LISTENER_FAILED' });
});

it.each(ODD)('reports data that throws what has no text, and never throws from publish', async (odd) => {
  const { sse } = hub();
  const errors = collect(sse, 'error');
  const data = new Proxy(
    {},
    {
      getPrototypeOf() {
        throw odd;
      },
    },
  );
  expect(sse.sendToAll(data)).toBe(0);
  await expect(sse.publish(data)).rejects.toMatchObject({ code: 'STAMP_FAILED', cause: odd });
  expect(errors.map(({ code }) => code)).toEqual(['STAMP_FAILED', 'STAMP_FAILED']);
});

it.each(ODD)('reports an adapter that rejects with what has no text, and goes on', async (odd) => {
  const reject = () => Promise.reject(odd);
  let subscribes = 0;
  const adapter = {
    publish: reject,
    subscribe: () => {
      subscribes += 1;
      return subscribes === 1 ? reject() : Promise.resolve();
    },
    on: () => undefined,
    incr: async () => 1,
    expire: reject,
    close: reject,
  };
  const sse = new SSEKify({ redis: adapter });
  endWithTest(sse);
  const errors = collect(sse, 'error');
  await expect(sse.publish({ requestId: 'one' })).rejects.toMatchObject({ code: 'PUBLISH_REFUSED', cause: odd });
  await sse.ready();
  await sse.shutdown();
  const codes = errors.map(({ code }) => code).sort();
  expect(codes).toEqual(['BUS_ERROR', 'BUS_ERROR', 'BUS_ERROR', 'PUBLISH_REFUSED']);
});

it.each(ODD)('reports an id function that throws what has no text', (odd) => {
  const throws = () => {
    throw odd;
  };
  const sse = new SSEKify({ seq: { frameIdPolicy: throws } });
  endWithTest(sse);
  const errors = collect(sse, 'error');
  expect(sse.sendToAll('one')).toBe(0);
  expect(errors).toMatchObject([{ code: 'STAMP_FAILED', cause: odd }]);
});
