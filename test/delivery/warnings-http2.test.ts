import { expect, it } from 'vitest';
import { openHttp2, serveHttp2Hub } from '../helpers/http2.js';

// In a file of its own: Node tells of some things only once in a process.
it('causes no process warning on HTTP/2', async () => {
  const warnings: Error[] = [];
  const note = (warning: Error) => warnings.push(warning);
  process.on('warning', note);
  const { url, sse } = await serveHttp2Hub({ hub: { maxConnections: 1 } });
  const client = await openHttp2(url, '/ann');
  sse.sendToUser('ann', 'hello');
  await client.received(1);
  const refused = await openHttp2(url, '/bob');
  await refused.over;
  await new Promise((resolve) => setImmediate(resolve));
  process.off('warning', note);
  expect(warnings).toEqual([]);
});
