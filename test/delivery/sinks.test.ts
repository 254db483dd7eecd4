import { expect, it } from 'vitest';
import { openStream } from '../helpers/client.js';
import { serveHub } from '../helpers/server.js';

it('writes to the socket of a plain HTTP/1.1 response, unless that is ruled out', async () => {
  const { sse, url, handle } = await serveHub();
  await openStream(`${url}/ann`);
  await handle(0);
  const plain = process.env.SSEKIFY_SINK === 'response';
  expect(sse.stats().sinks).toEqual(plain ? { socket: 0, response: 1, web: 0 } : { socket: 1, response: 0, web: 0 });
});

it('writes through the response when somebody wraps its write', async () => {
  const { sse, url, handle } = await serveHub({
    before: (_req, res) => {
      const write = res.write.bind(res);
      res.write = (chunk: unknown, ...rest: unknown[]) => Reflect.apply(write, res, [chunk, ...rest]);
    },
  });
  const ann = await openStream(`${url}/ann`);
  await handle(0);
  sse.sendToUser('ann', 'wrapped');
  expect((await ann.received(1))[0]?.data).toBe('"wrapped"');
  expect(sse.stats().sinks).toEqual({ socket: 0, response: 1, web: 0 });
});
