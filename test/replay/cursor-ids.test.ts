import { expect, it, vi } from 'vitest';
import { openStream } from '../helpers/client.js';
import { serveHub } from '../helpers/server.js';

it('gives a cursor an id that no event ever has, also when both are made in one millisecond', async () => {
  vi.useFakeTimers({ toFake: ['Date'] });
  const { sse, url } = await serveHub();
  const first = await openStream(`${url}/ann`, { lastEventId: 'from before a restart' });
  const cursor = await first.event('server:cursor');
  first.close();
  sse.sendToAll('missed');
  const again = await openStream(`${url}/ann`, { lastEventId: cursor.id ?? '' });
  const [missed] = await again.received(1);
  expect(missed?.data).toBe('"missed"');
  expect(missed?.id).not.toBe(cursor.id);
});

it('gives each place that it takes a client to an id of its own', async () => {
  const { sse, url } = await serveHub();
  const ann = await openStream(`${url}/ann`, { lastEventId: 'nowhere' });
  await ann.event('server:cursor');
  ann.close();
  sse.sendToUser('ann', 'missed', { text: true });
  const bob = await openStream(`${url}/bob`, { lastEventId: 'nowhere' });
  await bob.event('server:cursor');
  expect(bob.lastEventId).not.toBe(ann.lastEventId);
  const again = await openStream(`${url}/ann`, { lastEventId: ann.lastEventId });
  expect((await again.received(1))[0]?.data).toBe('missed');
});
