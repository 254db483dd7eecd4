import { expect, it } from 'vitest';
import { openStream } from '../helpers/client.js';
import { serveHub } from '../helpers/server.js';

it('delivers what a listener of publish publishes after what it heard of', async () => {
  const { sse, url, handle } = await serveHub();
  const ann = await openStream(`${url}/ann`);
  await handle(0);
  sse.once('publish', () => sse.publish({ streamId: 's', n: 'B' }));
  await sse.publish({ streamId: 's', n: 'A' });
  const events = (await ann.received(2)).map(({ data }) => JSON.parse(data));
  expect(events.map(({ n, seq }) => [n, seq])).toEqual([
    ['A', 0],
    ['B', 1],
  ]);
});

it('takes no number for what a closed connection is sent', async () => {
  const { sse, url, handle } = await serveHub();
  await openStream(`${url}/ann`);
  const ann = await handle(0);
  ann.close();
  expect(ann.send({ requestId: 'r' })).toBe(false);
  expect(sse.stats().seqIncrsLocal).toBe(0);
});
