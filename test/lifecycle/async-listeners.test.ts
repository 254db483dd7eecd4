import { expect, it } from 'vitest';
import { SSEKify } from '../../src/index.js';
import { next } from '../helpers/emitted.js';

it('reports a listener whose promise rejects, and goes on', async () => {
  const sse = new SSEKify();
  sse.on('message-sent', async () => {
    throw new Error('later');
  });
  const reported = next(sse, 'error');
  sse.sendToAll('one');
  const error = await reported;
  expect(error).toMatchObject({ code: 'LISTENER_FAILED', cause: new Error('later') });
  expect(error.message).toContain("'message-sent'");
});

it('only warns when the promise of an error listener rejects', async () => {
  const sse = new SSEKify({ maxPayloadBytes: 1 });
  const warned = new Promise<Error>((resolve) => process.once('warning', resolve));
  sse.on('error', async () => {
    throw new Error('even here');
  });
  expect(sse.sendToAll('too large')).toBe(0);
  expect(await warned).toMatchObject({ name: 'SSEKifyWarning', code: 'LISTENER_FAILED' });
});
