import { expect, it } from 'vitest';
import { openStream } from '../helpers/client.js';
import { serveHub } from '../helpers/server.js';

it('pushes to a user, a room and everyone', async () => {
  const { sse, url, handle } = await serveHub();
  const ann = await openStream(`${url}/ann?rooms=news`);
  const bob = await openStream(`${url}/bob`);
  await handle(1);
  expect(sse.sendToUser('ann', { to: 'ann' })).toBe(1);
  expect(sse.sendToRoom('news', { to: 'news' }, { event: 'news' })).toBe(1);
  expect(sse.sendToAll('all')).toBe(2);
  const [first, second, third] = await ann.received(3);
  expect(JSON.parse(first?.data ?? '')).toMatchObject({ to: 'ann' });
  expect(second?.event).toBe('news');
  expect(third?.data).toBe('"all"');
  expect(await bob.received(1)).toHaveLength(1);
  expect(ann.retries).toEqual([2000]);
  const last = ann.lastEventId;
  ann.close();
  sse.sendToUser('ann', 'missed');
  const again = await openStream(`${url}/ann?rooms=news`, { lastEventId: last });
  expect((await again.received(1))[0]?.data).toBe('"missed"');
});
